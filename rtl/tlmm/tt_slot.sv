/// A slot: its tables and its adder trees.
///
/// Every slot looks up the same weights in its own tables. Latency from index to sum: one cycle for
/// the tables and one a level of the trees.
module tt_slot #(
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of a row.
  parameter int unsigned Groups = 15,
  /// Bits of a sum: entries of 10 bits, one more a level.
  localparam int unsigned SumBits = 10 + $clog2(Groups)
) (
  /// Clock.
  input  logic                       clk_i,
  /// Write an entry of every group.
  input  logic                       write_i,
  /// Bank and value of the entries.
  input  logic [4:0]                 write_address_i,
  /// Entry of group g in bits 10g+9..10g.
  input  logic [10*Groups-1:0]       write_data_i,
  /// Bank to look up in.
  input  logic                       bank_i,
  /// Index of group g of row r in bits 4 * (r * Groups + g) up.
  input  logic [4*Groups*Rows-1:0]   index_i,
  /// Which nodes subtract, Groups - 1 bits a row, timed as tt_tree_signs gives them.
  input  logic [(Groups-1)*Rows-1:0] flip_i,
  /// Sum of row r in bits SumBits*r up, signed, up to the sign of group 0.
  output logic [SumBits*Rows-1:0]    sums_o
);
  logic [10*Groups*Rows-1:0] entries;  // of group g of row r at 10 * (r * Groups + g)

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    logic [4*Rows-1:0]  index;
    logic [10*Rows-1:0] entry;
    for (genvar r = 0; r < Rows; r++) begin : gen_row
      assign index[4*r +: 4]                 = index_i[4*(r*Groups+g) +: 4];
      assign entries[10*(r*Groups+g) +: 10]  = entry[10*r +: 10];
    end
    tt_table #(.Rows(Rows)) u_table (
      .clk_i,
      .write_i,
      .write_address_i,
      .write_data_i(write_data_i[10*g +: 10]),
      .bank_i,
      .index_i     (index),
      .entry_o     (entry)
    );
  end

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    tt_adder_tree #(.Leaves(Groups), .LeafBits(10)) u_tree (
      .clk_i,
      .leaves_i(entries[10*Groups*r +: 10*Groups]),
      .flip_i  (flip_i[(Groups-1)*r +: Groups-1]),
      .sum_o   (sums_o[SumBits*r +: SumBits])
    );
  end
endmodule

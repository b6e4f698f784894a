/// The tables of a slot: every slot looks up the same weights in its own.
module tt_slot_tables #(
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of a row.
  parameter int unsigned Groups = 15,
  /// The entries go through registers.
  parameter bit          Registered = 1'b1
) (
  /// Clock.
  input  logic                      clk_i,
  /// Write an entry of every group.
  input  logic                      write_i,
  /// Bank and value of the entries.
  input  logic [4:0]                write_address_i,
  /// Entry of group g in bits 10g+9..10g.
  input  logic [10*Groups-1:0]      write_data_i,
  /// Bank to look up in, a bit a group.
  input  logic [Groups-1:0]         bank_i,
  /// Index of group g of row r in bits 4 * (r * Groups + g) up.
  input  logic [4*Groups*Rows-1:0]  index_i,
  /// Entry of group g of row r in bits 10 * (r * Groups + g) up, one cycle later if Registered.
  output logic [10*Groups*Rows-1:0] entries_o
);
  for (genvar g = 0; g < Groups; g++) begin : gen_group
    logic [4*Rows-1:0]  index;
    logic [10*Rows-1:0] entry;
    for (genvar r = 0; r < Rows; r++) begin : gen_row
      assign index[4*r +: 4]                  = index_i[4*(r*Groups+g) +: 4];
      assign entries_o[10*(r*Groups+g) +: 10] = entry[10*r +: 10];
    end
    tt_table #(.Rows(Rows), .Registered(Registered)) u_table (
      .clk_i,
      .write_i,
      .write_address_i,
      .write_data_i(write_data_i[10*g +: 10]),
      .bank_i      (bank_i[g]),
      .index_i     (index),
      .entry_o     (entry)
    );
  end
endmodule

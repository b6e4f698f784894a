/// The tables of a group of one slot: two banks of 14 entries, one read port a row.
///
/// Distributed RAM with asynchronous reads: an entry appears one cycle after its index, or, without
/// registers of the table's own, at once. A RAM32M16 of UltraScale+ has seven read ports of two bits, so seven rows and ten
/// bits take five of them.
module tt_table #(
  /// Read ports.
  parameter int unsigned Rows = 7,
  /// The entries go through registers.
  parameter bit          Registered = 1'b1
) (
  /// Clock.
  input  logic               clk_i,
  /// Write an entry; it can be read in the next cycle.
  input  logic               write_i,
  /// Bank and value of the entry.
  input  logic [4:0]         write_address_i,
  /// The entry.
  input  logic [9:0]         write_data_i,
  /// Bank that all rows read.
  input  logic               bank_i,
  /// Index of row r in bits 4r+3..4r.
  input  logic [4*Rows-1:0]  index_i,
  /// Entry of row r in bits 10r+9..10r, one cycle later if Registered.
  output logic [10*Rows-1:0] entry_o
);
  (* ram_style = "distributed" *)
  logic [9:0] memory [32];

  always_ff @(posedge clk_i) begin
    if (write_i) memory[write_address_i] <= write_data_i;
  end

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    logic [9:0] entry;
    assign entry = memory[{bank_i, index_i[4*r +: 4]}];
    if (Registered) begin : gen_registered
      logic [9:0] entry_q;
      always_ff @(posedge clk_i) entry_q <= entry;
      assign entry_o[10*r +: 10] = entry_q;
    end else begin : gen_direct
      assign entry_o[10*r +: 10] = entry;
    end
  end
endmodule

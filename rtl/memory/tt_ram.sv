/// A memory with one write port and one read port: the one form that every buffer of the card has.
///
/// Read data come one cycle after read_i and hold while read_i is low. A read of the word that is
/// written in the same cycle gives unspecified data.
module tt_ram #(
  /// Bits of a word.
  parameter int unsigned Width = 32,
  /// Words, at least 2.
  parameter int unsigned Depth = 1024,
  /// `ram_style` of the memory: "block", "distributed" or "ultra".
  parameter              Style = "block",
  /// Bits of an address.
  localparam int unsigned AddressBits = $clog2(Depth)
) (
  /// Clock.
  input  logic                   clk_i,
  /// A word is written.
  input  logic                   write_i,
  /// Word to write, below Depth.
  input  logic [AddressBits-1:0] write_address_i,
  /// What is written.
  input  logic [Width-1:0]       write_data_i,
  /// A word is read.
  input  logic                   read_i,
  /// Word to read, below Depth.
  input  logic [AddressBits-1:0] read_address_i,
  /// The word of the last read, one cycle after it.
  output logic [Width-1:0]       read_data_o
);
  (* ram_style = Style *) (* no_rw_check *)
  logic [Width-1:0] memory [Depth];

  always_ff @(posedge clk_i) begin
    if (write_i) memory[write_address_i] <= write_data_i;
    if (read_i) read_data_o <= memory[read_address_i];
  end
endmodule

/// Packs words of Lanes bytes into words of buffer Q, which end with their row or head and are
/// filled up with zeros.
module tt_vector_queries #(
  /// Bytes of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Bytes of a word of buffer Q, a power of two, above Lanes.
  parameter int unsigned BeatBytes = 64,
  /// Bits of an address of buffer Q.
  parameter int unsigned AddressBits = 10
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: nothing is to be written.
  input  logic                   rst_ni,
  /// A pass begins: its first word goes to base_i.
  input  logic                   start_i,
  /// Word of buffer Q.
  input  logic [AddressBits-1:0] base_i,
  /// Words of a slot that the pass leaves out.
  input  logic [AddressBits-1:0] skip_i,
  /// A word comes.
  input  logic                   valid_i,
  /// It is the first of a row or head.
  input  logic                   begins_i,
  /// It is the last one.
  input  logic                   ends_i,
  /// It is of the first head of a slot that is not the first.
  input  logic                   skips_i,
  /// The bytes.
  input  logic [8*Lanes-1:0]     data_i,
  /// A word of buffer Q is written.
  output logic                   write_o,
  /// Which.
  output logic [AddressBits-1:0] address_o,
  /// What.
  output logic [8*BeatBytes-1:0] data_o
);
  localparam int unsigned Parts    = BeatBytes / Lanes;
  localparam int unsigned PartBits = $clog2(Parts);

  logic [PartBits-1:0]    part_q, part;
  logic [AddressBits-1:0] next_q, next, address_q;
  logic [8*BeatBytes-1:0] data_q;
  logic                   complete, write_q;

  assign part     = begins_i ? '0 : part_q;
  assign complete = ends_i || part == PartBits'(Parts - 1);
  assign next     = begins_i && skips_i ? next_q + skip_i : next_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) write_q <= 1'b0;
    else write_q <= valid_i & complete;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) next_q <= base_i;
    else if (valid_i) next_q <= next + AddressBits'(complete);
    if (valid_i) begin
      part_q    <= part + 1'b1;
      address_q <= next;
      for (int unsigned p = 0; p < Parts; p++) begin
        if (part == PartBits'(p)) data_q[8*Lanes*p+:8*Lanes] <= data_i;
        else if (part == '0) data_q[8*Lanes*p+:8*Lanes] <= '0;
      end
    end
  end

  assign write_o   = write_q;
  assign address_o = address_q;
  assign data_o    = data_q;
endmodule

/// CRC-32C (Castagnoli, reflected, from all ones, inverted), some bytes a cycle.
///
/// Linear algebra over bits: the new remainder is a matrix times the old one plus a matrix times the
/// data. The part of the data is registered, so only the old remainder's is in the loop.
module tt_crc32c #(
  /// Bytes of a step.
  parameter int unsigned Bytes = 16
) (
  /// Clock.
  input  logic               clk_i,
  /// A new message begins; not together with valid_i.
  input  logic               clear_i,
  /// The next bytes of the message.
  input  logic               valid_i,
  /// The bytes, the first one lowest.
  input  logic [8*Bytes-1:0] data_i,
  /// The CRC of the bytes up to two cycles ago.
  output logic [31:0]        crc_o
);
  localparam int unsigned DataBits = 8 * Bytes;
  localparam int unsigned RowBits  = 32 + DataBits;
  localparam logic [31:0] Polynomial = 32'h82f6_3b78;

  // Row i: which bits of {data, remainder} bit i of the next remainder is the sum of.
  function automatic logic [32*RowBits-1:0] matrix();
    logic [32*RowBits-1:0] rows;
    logic [RowBits-1:0]    feedback;
    rows = '0;
    for (int i = 0; i < 32; i++) rows[RowBits*i+i] = 1'b1;
    for (int k = 0; k < DataBits; k++) begin
      feedback = rows[RowBits-1:0];
      feedback[32+k] = ~feedback[32+k];
      rows = rows >> RowBits;
      for (int i = 0; i < 32; i++) begin
        if (Polynomial[i]) rows[RowBits*i +: RowBits] = rows[RowBits*i +: RowBits] ^ feedback;
      end
    end
    matrix = rows;
  endfunction

  localparam logic [32*RowBits-1:0] Matrix = matrix();

  logic        valid_q;
  logic [31:0] data_part, data_q, rest_part, rest_q;

  for (genvar i = 0; i < 32; i++) begin : gen_bit
    assign data_part[i] = ^(Matrix[RowBits*i+32 +: DataBits] & data_i);
    assign rest_part[i] = ^(Matrix[RowBits*i +: 32] & rest_q);
  end

  always_ff @(posedge clk_i) begin
    valid_q <= valid_i;
    if (valid_i) data_q <= data_part;
    if (clear_i) rest_q <= '1;
    else if (valid_q) rest_q <= rest_part ^ data_q;
  end

  assign crc_o = ~rest_q;
endmodule

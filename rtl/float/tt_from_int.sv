/// A signed integer to floating point, one a cycle.
///
/// Stage 1 takes the magnitude and counts the zeros of its one's complement beside it: the leading
/// one may be one bit higher than counted, which the rounding takes for a carry.
module tt_from_int #(
  /// Bits of the integer, 2..48.
  parameter int unsigned IntBits = 32,
  /// Bits of the exponent, 3..8.
  parameter int unsigned ExpBits = 8,
  /// Bits of the mantissa, 2..23.
  parameter int unsigned ManBits = 23,
  /// Bits of a number.
  localparam int unsigned Width = 1 + ExpBits + ManBits
) (
  /// Clock.
  input  logic               clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic               rst_ni,
  /// The operand is valid.
  input  logic               valid_i,
  /// The integer, signed.
  input  logic [IntBits-1:0] a_i,
  /// The result is valid: valid_i, FromIntLatency cycles later.
  output logic               valid_o,
  /// The number.
  output logic [Width-1:0]   result_o
);
  localparam int unsigned Latency = tt_float_pkg::FromIntLatency;
  localparam int unsigned CountBits = $clog2(IntBits);
  // Carry, hidden bit, mantissa, guard, round; without the sticky bit.
  localparam int unsigned KeptBits = ManBits + 4;
  localparam int unsigned ShiftIn = KeptBits + 2 ** CountBits - 1;
  // The biased exponent of the highest bit that can follow the sign.
  localparam int unsigned High = 2 ** (ExpBits - 1) - 1 + IntBits - 2;
  localparam int unsigned HighBits = ExpBits > 6 ? ExpBits + 1 : 7;

  logic [Latency-1:0] valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], valid_i};
  end
  assign valid_o = valid_q[Latency-1];

  // Stage 1.
  logic                 sign, unused_none;
  logic [IntBits-1:0]   flipped;
  logic [CountBits-1:0] count;

  assign sign    = a_i[IntBits-1];
  assign flipped = a_i ^ {IntBits{sign}};

  // The one at the end stands for what -1 becomes.
  tt_float_lzc #(.Width(IntBits)) u_lzc (
    .value_i({flipped[IntBits-2:0], 1'b1}), .count_o(count), .none_o(unused_none)
  );

  logic                 sign_q, zero_q;
  logic [IntBits-1:0]   magnitude_q;
  logic [CountBits-1:0] count_q;

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      sign_q      <= sign;
      zero_q      <= a_i == '0;
      magnitude_q <= flipped + IntBits'(sign);
      count_q     <= count;
    end
  end

  // Stage 2.
  logic [HighBits-1:0] exponent;
  logic [KeptBits-1:0] kept;
  logic                lost;
  logic [ShiftIn-1:0]  value;
  logic [Width-1:0]    result, result_q;

  assign exponent = HighBits'(High) - HighBits'(count_q);
  assign value    = ShiftIn'(magnitude_q) << (ShiftIn - IntBits);

  tt_float_shift #(.OutBits(KeptBits), .AmountBits(CountBits)) u_shift (
    .value_i(value), .amount_i(count_q), .result_o(kept), .sticky_o(lost)
  );

  tt_float_round #(.ExpBits(ExpBits), .ManBits(ManBits)) u_round (
    .sign_i(sign_q),
    .exponent_i(exponent[ExpBits-1:0]),
    .huge_i((exponent >> ExpBits) != '0),
    .sum_i({kept, lost}),
    .nan_i(1'b0),
    .infinite_i(1'b0),
    .zero_i(zero_q),
    .exact_valid_i(1'b0),
    .exact_i('0),
    .result_o(result)
  );

  always_ff @(posedge clk_i) if (valid_q[0]) result_q <= result;
  assign result_o = result_q;
endmodule

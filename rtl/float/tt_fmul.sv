/// Floating point multiplication, one a cycle.
///
/// ```text
///   1 zeros of a subnormal operand ─► 2 product │ shift ─► 3 shift ─► 4 round
/// ```
///
/// Significands are multiplied as they are; how far the product is shifted follows from the zeros
/// of the operands and the exponent alone, beside the product. The one bit that is not known there
/// is left to the rounding. Of two subnormal operands the zeros do not matter: the product lies
/// below the normal numbers, and its exponent decides.
module tt_fmul #(
  /// Bits of the exponent, 3..8.
  parameter int unsigned ExpBits = 8,
  /// Bits of the mantissa, 2..23.
  parameter int unsigned ManBits = 23,
  /// Bits of a number.
  localparam int unsigned Width = 1 + ExpBits + ManBits
) (
  /// Clock.
  input  logic             clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic             rst_ni,
  /// The operands are valid.
  input  logic             valid_i,
  /// The first operand.
  input  logic [Width-1:0] a_i,
  /// The second operand.
  input  logic [Width-1:0] b_i,
  /// The result is valid: valid_i, MulLatency cycles later.
  output logic             valid_o,
  /// The product.
  output logic [Width-1:0] result_o
);
  localparam int unsigned Latency = tt_float_pkg::MulLatency;
  localparam int unsigned Bias = 2 ** (ExpBits - 1) - 1;
  localparam int unsigned ProductBits = 2 * ManBits + 2;
  localparam int unsigned CountBits = $clog2(ManBits + 1);
  // Exponents, signed, also minus a count or plus a shift.
  localparam int unsigned SignedBits = (ExpBits > CountBits ? ExpBits : CountBits) + 3;
  // Hidden bit, mantissa, guard, round; how far right a product may go; all shifts.
  localparam int unsigned KeptBits = ManBits + 3;
  localparam int unsigned Down = ManBits + 2;
  localparam int unsigned ShiftBits = $clog2(2 * ManBits + 3);
  localparam int unsigned ShiftIn = KeptBits + 2 ** ShiftBits - 1;
  localparam int unsigned Padding = ShiftIn - Down - ProductBits;

  logic [Latency-1:0] valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], valid_i};
  end
  assign valid_o = valid_q[Latency-1];

  // Stage 1. The exponent is that of the product's top bit.
  logic                 a_sign, b_sign, a_nan, b_nan, a_infinite, b_infinite, a_zero, b_zero;
  logic [ExpBits-1:0]   a_exponent, b_exponent;
  logic [ManBits:0]     a_significand, b_significand;
  logic [CountBits-1:0] count;
  logic                 unused_none;

  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_a (
    .value_i(a_i), .sign_o(a_sign), .exponent_o(a_exponent), .significand_o(a_significand),
    .nan_o(a_nan), .infinite_o(a_infinite), .zero_o(a_zero)
  );
  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_b (
    .value_i(b_i), .sign_o(b_sign), .exponent_o(b_exponent), .significand_o(b_significand),
    .nan_o(b_nan), .infinite_o(b_infinite), .zero_o(b_zero)
  );
  tt_float_lzc #(.Width(ManBits + 1)) u_lzc (
    .value_i(a_significand[ManBits] ? b_significand : a_significand),
    .count_o(count),
    .none_o(unused_none)
  );

  logic                         sign1_q, nan1_q, infinite1_q, zero1_q;
  logic signed [SignedBits-1:0] exponent1_q;
  logic [CountBits-1:0]         count1_q;
  logic [ManBits:0]             a1_q, b1_q;

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      sign1_q     <= a_sign ^ b_sign;
      nan1_q      <= a_nan | b_nan | (a_infinite & b_zero) | (a_zero & b_infinite);
      infinite1_q <= a_infinite | b_infinite;
      zero1_q     <= a_zero | b_zero;
      exponent1_q <= SignedBits'(a_exponent) + SignedBits'(b_exponent) - SignedBits'(Bias - 1);
      count1_q    <= count;
      a1_q        <= a_significand;
      b1_q        <= b_significand;
    end
  end

  // Stage 2. Up by the zeros, or as far as the exponent goes, which may be down.
  logic signed [SignedBits-1:0] lowered, limit;
  logic                         subnormal;

  assign lowered   = exponent1_q - SignedBits'(count1_q);
  assign limit     = exponent1_q + SignedBits'(Down - 1);
  assign subnormal = lowered < SignedBits'(1);

  logic                   sign2_q, nan2_q, infinite2_q, zero2_q, huge2_q;
  logic [ExpBits-1:0]     exponent2_q;
  logic [ShiftBits-1:0]   shift2_q;
  logic [ProductBits-1:0] product2_q;

  always_ff @(posedge clk_i) begin
    if (valid_q[0]) begin
      sign2_q     <= sign1_q;
      nan2_q      <= nan1_q;
      infinite2_q <= infinite1_q;
      zero2_q     <= zero1_q;
      huge2_q     <= ~subnormal & ((lowered >> ExpBits) != '0);
      exponent2_q <= subnormal ? ExpBits'(1) : lowered[ExpBits-1:0];
      product2_q  <= ProductBits'(a1_q) * ProductBits'(b1_q);
      if (!subnormal) shift2_q <= ShiftBits'(count1_q) + ShiftBits'(Down);
      else if (limit[SignedBits-1]) shift2_q <= '0;
      else shift2_q <= ShiftBits'(limit);
    end
  end

  // Stage 3.
  logic [KeptBits-1:0] kept;
  logic                lost;

  tt_float_shift #(.OutBits(KeptBits), .AmountBits(ShiftBits)) u_shift (
    .value_i({{Down{1'b0}}, product2_q, {Padding{1'b0}}}),
    .amount_i(shift2_q),
    .result_o(kept),
    .sticky_o(lost)
  );

  logic               sign3_q, nan3_q, infinite3_q, zero3_q, huge3_q;
  logic [ExpBits-1:0] exponent3_q;
  logic [KeptBits:0]  sum3_q;

  always_ff @(posedge clk_i) begin
    if (valid_q[1]) begin
      sign3_q     <= sign2_q;
      nan3_q      <= nan2_q;
      infinite3_q <= infinite2_q;
      zero3_q     <= zero2_q;
      huge3_q     <= huge2_q;
      exponent3_q <= exponent2_q;
      sum3_q      <= {kept, lost};
    end
  end

  // Stage 4.
  logic [Width-1:0] result, result_q;

  tt_float_round #(.ExpBits(ExpBits), .ManBits(ManBits)) u_round (
    .sign_i(sign3_q),
    .exponent_i(exponent3_q),
    .huge_i(huge3_q),
    .sum_i({1'b0, sum3_q}),
    .nan_i(nan3_q),
    .infinite_i(infinite3_q),
    .zero_i(zero3_q),
    .exact_valid_i(1'b0),
    .exact_i('0),
    .result_o(result)
  );

  always_ff @(posedge clk_i) if (valid_q[2]) result_q <= result;
  assign result_o = result_q;
endmodule

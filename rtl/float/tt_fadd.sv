/// Floating point addition, one a cycle.
///
/// ```text
///   1 order by magnitude ─► 2 align ─► 3 add or subtract, count leading zeros ─► 4 normalise, round
/// ```
///
/// A sum that leads two or more bits below its larger operand is exact (the operands were at most
/// one bit apart), so what is shifted far is not rounded and the two ways of stage 4 run abreast.
module tt_fadd #(
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
  /// The result is valid: valid_i, AddLatency cycles later.
  output logic             valid_o,
  /// The sum.
  output logic [Width-1:0] result_o
);
  localparam int unsigned Latency = tt_float_pkg::AddLatency;
  localparam int unsigned SumBits = ManBits + 4;  // hidden, mantissa, guard, round, sticky
  localparam int unsigned AlignBits = $clog2(ManBits + 4);
  localparam int unsigned CountBits = $clog2(ManBits + 2);
  // Exponent minus count, signed.
  localparam int unsigned DownBits = (ExpBits > CountBits ? ExpBits : CountBits) + 2;

  logic [Latency-1:0] valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], valid_i};
  end
  assign valid_o = valid_q[Latency-1];

  // Stage 1. A NaN is larger than infinity, so the larger operand tells both.
  logic               a_sign, b_sign, a_nan, b_nan, a_infinite, b_infinite, a_zero, b_zero, swap;
  logic [ExpBits-1:0] a_exponent, b_exponent, large_exponent, small_exponent;
  logic [ManBits:0]   a_significand, b_significand;
  logic               unused_zero;

  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_a (
    .value_i(a_i), .sign_o(a_sign), .exponent_o(a_exponent), .significand_o(a_significand),
    .nan_o(a_nan), .infinite_o(a_infinite), .zero_o(a_zero)
  );
  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_b (
    .value_i(b_i), .sign_o(b_sign), .exponent_o(b_exponent), .significand_o(b_significand),
    .nan_o(b_nan), .infinite_o(b_infinite), .zero_o(b_zero)
  );
  assign unused_zero = a_zero | b_zero;

  assign swap           = a_i[Width-2:0] < b_i[Width-2:0];
  assign large_exponent = swap ? b_exponent : a_exponent;
  assign small_exponent = swap ? a_exponent : b_exponent;

  logic               sign1_q, minus1_q, nan1_q, infinite1_q;
  logic [ExpBits-1:0] exponent1_q, distance1_q;
  logic [ManBits:0]   large1_q, small1_q;

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      sign1_q     <= swap ? b_sign : a_sign;
      minus1_q    <= a_sign ^ b_sign;
      exponent1_q <= large_exponent;
      distance1_q <= large_exponent - small_exponent;
      large1_q    <= swap ? b_significand : a_significand;
      small1_q    <= swap ? a_significand : b_significand;
      nan1_q      <= a_nan | b_nan | (a_infinite & b_infinite & (a_sign ^ b_sign));
      infinite1_q <= a_infinite | b_infinite;
    end
  end

  // Stage 2. Right by d is left by 2^AlignBits-1-d from that much further right. What lies further
  // below is less than an eighth of the last place and changes nothing.
  localparam int unsigned ShiftIn = SumBits - 1 + 2 ** AlignBits - 1;
  logic [AlignBits-1:0] align;
  logic                 far, lost;
  logic [SumBits-2:0]   aligned;

  assign align = {AlignBits{1'b1}} ^ AlignBits'(distance1_q);
  assign far   = (distance1_q >> AlignBits) != '0;

  tt_float_shift #(.OutBits(SumBits - 1), .AmountBits(AlignBits)) u_align (
    .value_i(ShiftIn'({small1_q, 2'b00})), .amount_i(align), .result_o(aligned), .sticky_o(lost)
  );

  logic               sign2_q, minus2_q, nan2_q, infinite2_q;
  logic [ExpBits-1:0] exponent2_q;
  logic [ManBits:0]   large2_q;
  logic [SumBits-1:0] small2_q;

  always_ff @(posedge clk_i) begin
    if (valid_q[0]) begin
      sign2_q     <= sign1_q;
      minus2_q    <= minus1_q;
      exponent2_q <= exponent1_q;
      large2_q    <= large1_q;
      small2_q    <= far ? '0 : {aligned, lost};
      nan2_q      <= nan1_q;
      infinite2_q <= infinite1_q;
    end
  end

  // Stage 3.
  logic                 none, unused;
  logic [SumBits:0]     sum;
  logic [CountBits-1:0] count;

  // The extra low bit carries the one of the two's complement.
  assign {sum, unused} = {1'b0, large2_q, 3'b000, minus2_q}
                       + {{1'b0, small2_q} ^ {SumBits + 1{minus2_q}}, minus2_q};

  tt_float_lzc #(.Width(ManBits + 2)) u_lzc (
    .value_i(sum[SumBits-1:2]), .count_o(count), .none_o(none)
  );

  logic                 sign3_q, zero3_q, nan3_q, infinite3_q;
  logic [ExpBits-1:0]   exponent3_q;
  logic [SumBits:0]     sum3_q;
  logic [CountBits-1:0] count3_q;

  always_ff @(posedge clk_i) begin
    if (valid_q[1]) begin
      // Equal magnitudes of different sign: +0. Two zeros keep a common sign.
      sign3_q     <= sign2_q & ~(minus2_q & none & ~sum[SumBits]);
      zero3_q     <= none & ~sum[SumBits];
      exponent3_q <= exponent2_q;
      sum3_q      <= sum;
      count3_q    <= count;
      nan3_q      <= nan2_q;
      infinite3_q <= infinite2_q;
    end
  end

  // Stage 4. The exact way: up by the count, or as far as the exponent goes.
  logic                 exact, subnormal;
  logic [DownBits-1:0]  down;
  logic [CountBits-1:0] amount;
  logic [ManBits-1:0]   normalised;
  logic [Width-1:0]     result;

  assign exact      = (sum3_q[SumBits-:3] == '0) & (exponent3_q[ExpBits-1:1] != '0);
  assign down       = DownBits'(exponent3_q) - DownBits'(count3_q);
  assign subnormal  = down[DownBits-1] | (down == '0);
  assign amount     = subnormal ? CountBits'(exponent3_q - 1'b1) : count3_q;
  assign normalised = ManBits'(sum3_q[SumBits-1:2] << amount >> 1);

  tt_float_round #(.ExpBits(ExpBits), .ManBits(ManBits)) u_round (
    .sign_i(sign3_q),
    .exponent_i(exponent3_q),
    .huge_i(1'b0),
    .sum_i(sum3_q),
    .nan_i(nan3_q),
    .infinite_i(infinite3_q),
    .zero_i(zero3_q),
    .exact_valid_i(exact),
    .exact_i({down[ExpBits-1:0] & {ExpBits{~subnormal}}, normalised}),
    .result_o(result)
  );

  logic [Width-1:0] result_q;
  always_ff @(posedge clk_i) if (valid_q[2]) result_q <= result;
  assign result_o = result_q;
endmodule

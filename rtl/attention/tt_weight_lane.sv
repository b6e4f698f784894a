/// One attention weight: e = EXP2[d mod 256] >> (d / 256), r = HalfEven(step * per_step),
/// w = (e * r + 2^22) >> 23, where d is how far the score is below the maximum.
///
/// The step comes MulLatency + ToIntLatency - 3 cycles before the score. r saturates at 32768,
/// which no row of a cache that the card wrote exceeds.
module tt_weight_lane (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low.
  input  logic        rst_ni,
  /// A step.
  input  logic        step_valid_i,
  /// Step of the V row, binary32.
  input  logic [31:0] step_i,
  /// 32768 / X, binary32.
  input  logic [31:0] per_step_i,
  /// A score.
  input  logic        score_valid_i,
  /// The score, or Invisible.
  input  logic [23:0] score_i,
  /// The largest score.
  input  logic [23:0] max_i,
  /// e, three cycles after the score.
  output logic [23:0] exp_o,
  /// w, five cycles after the score.
  output logic [15:0] weight_o
);
  logic [31:0]        ratio_real;
  logic signed [17:0] ratio_int;
  logic               ratio_real_valid, unused_ratio;
  logic [15:0]        ratio;

  tt_fmul u_ratio (
    .clk_i,
    .rst_ni,
    .valid_i (step_valid_i),
    .a_i     (step_i),
    .b_i     (per_step_i),
    .valid_o (ratio_real_valid),
    .result_o(ratio_real)
  );

  tt_to_int #(.IntBits(18)) u_round (
    .clk_i,
    .rst_ni,
    .valid_i (ratio_real_valid),
    .a_i     (ratio_real),
    .valid_o (unused_ratio),
    .result_o(ratio_int)
  );

  always_comb begin
    if (ratio_int[17]) ratio = '0;
    else if (ratio_int[16:0] > 17'd32768) ratio = 16'd32768;
    else ratio = ratio_int[15:0];
  end

  logic [3:0]  valid_q;
  logic        seen_q;
  logic [23:0] distance_q, power, exp_q;
  logic [16:0] whole_q;  // d / 256, and the score is not visible
  logic [39:0] product_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[2:0], score_valid_i};
  end

  always_ff @(posedge clk_i) begin
    if (score_valid_i) begin
      distance_q <= max_i - score_i;
      seen_q     <= score_i != tt_attention_pkg::Invisible;
    end
    if (valid_q[0]) whole_q <= {!seen_q, distance_q[23:8]};
    if (valid_q[1]) exp_q <= whole_q > 17'd23 ? '0 : power >> whole_q[4:0];
    if (valid_q[2]) product_q <= exp_q * ratio;
    if (valid_q[3]) weight_o <= 16'((product_q + 40'h400000) >> 23);
  end

  tt_exp2_table u_table (
    .clk_i,
    .read_i (valid_q[0]),
    .index_i(distance_q[7:0]),
    .power_o(power)
  );

  assign exp_o = exp_q;

  logic unused;
  assign unused = unused_ratio;
endmodule

/// One score: HalfEven(dot * (factor * step)), saturated to +-(2^23 - 1).
module tt_score_lane (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low.
  input  logic        rst_ni,
  /// A score is wanted.
  input  logic        valid_i,
  /// Dot product, signed.
  input  logic [23:0] dot_i,
  /// Factor of the query, binary32.
  input  logic [31:0] factor_i,
  /// Step of the K row, binary32.
  input  logic [31:0] step_i,
  /// The score, signed, 2 MulLatency + ToIntLatency cycles after.
  output logic [23:0] score_o
);

  logic [31:0] scale, real_dot, aligned_dot, product;
  logic [23:0] rounded;
  logic        scale_valid, product_valid;
  logic        unused_dot, unused_score;

  tt_fmul u_scale (
    .clk_i,
    .rst_ni,
    .valid_i,
    .a_i     (factor_i),
    .b_i     (step_i),
    .valid_o (scale_valid),
    .result_o(scale)
  );

  tt_from_int #(.IntBits(24)) u_dot (
    .clk_i,
    .rst_ni,
    .valid_i,
    .a_i     (dot_i),
    .valid_o (unused_dot),
    .result_o(real_dot)
  );

  tt_delay #(.Width(32), .Cycles(tt_float_pkg::MulLatency - tt_float_pkg::FromIntLatency)) u_align (
    .clk_i,
    .data_i(real_dot),
    .data_o(aligned_dot)
  );

  tt_fmul u_product (
    .clk_i,
    .rst_ni,
    .valid_i (scale_valid),
    .a_i     (aligned_dot),
    .b_i     (scale),
    .valid_o (product_valid),
    .result_o(product)
  );

  tt_to_int #(.IntBits(24)) u_round (
    .clk_i,
    .rst_ni,
    .valid_i (product_valid),
    .a_i     (product),
    .valid_o (unused_score),
    .result_o(rounded)
  );

  assign score_o = rounded == 24'h800000 ? 24'h800001 : rounded;

  logic unused;
  assign unused = unused_dot ^ unused_score;
endmodule

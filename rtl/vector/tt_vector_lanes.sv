/// The lanes of the vector unit, the tables that pairs of them share, and the words between them.
module tt_vector_lanes #(
  /// Lanes, even.
  parameter int unsigned Lanes = 8
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic rst_ni,
  /// What the pass does; constant while words are on their way.
  input  tt_vector_pkg::pass_t pass_i,
  /// Word valid in each stage.
  input  logic [tt_vector_pkg::Stages-1:0] valid_i,
  /// It is the second of a pair.
  input  logic [tt_vector_pkg::Stages-1:0] second_i,
  /// Stage 0: sums.
  input  logic [24*Lanes-1:0] sums_i,
  /// Stage 2: a word of X.
  input  logic [32*Lanes-1:0] x_i,
  /// Stage 2: a word of Y.
  input  logic [32*Lanes-1:0] y_i,
  /// Stage 3: the factor of the slot.
  input  logic [31:0] scalar_i,
  /// Stage 3, or with weigh_i[0]: parameters.
  input  logic [32*Lanes-1:0] weight_i,
  /// Stage 3: cosines, above them sines.
  input  logic [64*Lanes-1:0] rotary_i,
  /// Stage StageScaled: a word of X.
  input  logic [32*Lanes-1:0] addend_i,
  /// The tap takes something.
  input  logic tap_i,
  /// The tap takes the result of the gate.
  input  logic gate_result_i,
  /// Elements that count.
  input  logic [Lanes-1:0] keep_i,
  /// With tap_i: the scale of the group.
  input  logic [31:0] scale_i,
  /// The tap.
  output logic [32*Lanes-1:0] tap_o,
  /// The tap is weighed: load the factors, start.
  input  logic [1:0] weigh_i,
  /// MulLatency cycles after weigh_i[1]: the tap by the parameters.
  output logic [32*Lanes-1:0] weighed_o,
  /// A third product or square starts.
  input  logic third_i,
  /// It becomes an integer.
  input  logic integer_i,
  /// The integers.
  output logic [8*Lanes-1:0] integer_o,
  /// Partial sums: load the first addend, the second.
  input  logic [1:0] load_i,
  /// The first addend is the partial sum.
  input  logic tree_i,
  /// The second addend is that of another lane.
  input  logic cross_i,
  /// Which: Lanes >> (step_i + 1) further.
  input  logic [2:0] step_i,
  /// The partial sums.
  input  logic [32*Lanes-1:0] partial_i,
  /// Partial sums start.
  input  logic accumulate_i,
  /// The new ones.
  output logic [32*Lanes-1:0] partial_o
);
  localparam int unsigned StageScaled = tt_vector_pkg::StageScaled;
  localparam int unsigned Steps = $clog2(Lanes);

  if (Lanes < 2 || 2 ** Steps != Lanes) begin : gen_bad_lanes
    $fatal(1, "tt_vector_lanes: Lanes must be a power of two, 2 or more");
  end

  logic [32*Lanes-1:0] scaled, sigma, other;
  logic                sigmoid;

  assign sigmoid = pass_i.silu & valid_i[StageScaled] & ~second_i[StageScaled];

  // ---- a lane further on, for the tree ----------------------------------------------------------
  always_comb begin
    other = partial_i;
    for (int unsigned s = 0; s < Steps; s++) begin
      for (int unsigned l = 0; l < (Lanes >> (s + 1)); l++) begin
        if (step_i == 3'(s)) other[32*l+:32] = partial_i[32*(l+(Lanes>>(s+1)))+:32];
      end
    end
  end

  for (genvar p = 0; p < Lanes / 2; p++) begin : gen_sigmoid
    tt_sigmoid u_sigmoid (
      .clk_i,
      .rst_ni,
      .valid_i(sigmoid),
      .low_i  (scaled[32*p+:32]),
      .high_i (scaled[32*(p+Lanes/2)+:32]),
      .low_o  (sigma[32*p+:32]),
      .high_o (sigma[32*(p+Lanes/2)+:32])
    );
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_lanes
    tt_vector_lane u_lane (
      .clk_i,
      .rst_ni,
      .pass_i,
      .valid_i,
      .second_i,
      .sum_i    (sums_i[24*l+:24]),
      .x_i      (x_i[32*l+:32]),
      .y_i      (y_i[32*l+:32]),
      .scalar_i,
      .cosine_i (rotary_i[32*l+:32]),
      .sine_i   (rotary_i[32*(Lanes+l)+:32]),
      .addend_i (addend_i[32*l+:32]),
      .weight_i (weight_i[32*l+:32]),
      .scaled_o (scaled[32*l+:32]),
      .sigma_i  (sigma[32*l+:32]),
      .tap_i,
      .gate_result_i,
      .keep_i   (keep_i[l]),
      .scale_i,
      .tap_o    (tap_o[32*l+:32]),
      .weigh_i,
      .weighed_o(weighed_o[32*l+:32]),
      .third_i,
      .integer_i,
      .integer_o(integer_o[8*l+:8]),
      .load_i,
      .tree_i,
      .cross_i,
      .partial_i(partial_i[32*l+:32]),
      .other_i  (other[32*l+:32]),
      .accumulate_i,
      .partial_o(partial_o[32*l+:32])
    );
  end

  logic unused;
  assign unused = ^{pass_i, valid_i, second_i};
endmodule

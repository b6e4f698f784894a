/// What goes along with the words on their way through the lanes: where each is, and which register
/// of the lanes takes something.
module tt_vector_stages #(
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic rst_ni,
  /// What the pass does; constant while words are on their way.
  input  tt_vector_pkg::pass_t pass_i,
  /// Columns from here on do not count.
  input  logic [15:0] end_column_i,
  /// A word enters.
  input  logic valid_i,
  /// The word.
  input  tt_vector_pkg::word_t word_i,
  /// Word valid in each stage.
  output logic [tt_vector_pkg::Stages-1:0] valid_o,
  /// It is the second of a pair.
  output logic [tt_vector_pkg::Stages-1:0] second_o,
  /// The word in stage 1, where its source is read.
  output tt_vector_pkg::word_t source_o,
  /// The word in stage 2, where its scalar is read.
  output tt_vector_pkg::word_t scalar_o,
  /// The word in the stage before StageScaled, where addend and parameter are read.
  output tt_vector_pkg::word_t addend_o,
  /// The word in the stage before StageSummed, where the scale is read.
  output tt_vector_pkg::word_t scale_o,
  /// The tap takes something.
  output logic tap_o,
  /// The tap takes the result of the gate.
  output logic gate_result_o,
  /// Elements that count.
  output logic [Lanes-1:0] keep_o,
  /// The tap takes the element itself, not a step on the way to it.
  output logic result_o,
  /// Its word.
  output tt_vector_pkg::word_t result_word_o,
  /// A third product or square starts.
  output logic third_o,
  /// Word valid in each stage after the tap.
  output logic [tt_vector_pkg::PostStages-1:0] post_valid_o,
  /// The word at the tap.
  output tt_vector_pkg::word_t tap_word_o,
  /// The word of the weighed element.
  output tt_vector_pkg::word_t weighed_o,
  /// The word one stage before its square is there.
  output tt_vector_pkg::word_t square_o,
  /// The word one stage before its integer is there.
  output tt_vector_pkg::word_t step_o,
  /// The word of the integer.
  output tt_vector_pkg::word_t integer_o,
  /// Nothing is on its way.
  output logic idle_o
);
  localparam int unsigned Stages      = tt_vector_pkg::Stages;
  localparam int unsigned WordBits    = tt_vector_pkg::WordBits;
  localparam int unsigned StageScaled = tt_vector_pkg::StageScaled;
  localparam int unsigned StageSummed = tt_vector_pkg::StageSummed;
  localparam int unsigned SecondBit   = tt_vector_pkg::SecondBit;
  localparam int unsigned StageGated  = tt_vector_pkg::StageGated;
  localparam int unsigned StageUp     = tt_vector_pkg::StageUp;
  localparam int unsigned PostStages  = tt_vector_pkg::PostStages;
  localparam int unsigned PostInteger = tt_vector_pkg::PostInteger;
  localparam int unsigned PostWeighed = tt_vector_pkg::PostWeighed;
  localparam int unsigned PostSquare  = tt_vector_pkg::PostSquare;

  localparam int unsigned LaneBits = $clog2(Lanes);

  // ---- before the tap ---------------------------------------------------------------------------
  logic [Stages-1:0]               valid_q;
  logic [Stages-1:0][WordBits-1:0] word_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Stages-2:0], valid_i};
  end

  always_ff @(posedge clk_i) begin
    if (valid_i || valid_q != '0) word_q <= {word_q[Stages-2:0], word_i};
  end

  assign valid_o  = valid_q;
  assign source_o = word_q[1];
  assign scalar_o = word_q[2];
  assign addend_o = word_q[StageScaled-1];
  assign scale_o  = word_q[StageSummed-1];

  always_comb begin
    for (int unsigned s = 0; s < Stages; s++) second_o[s] = word_q[s][SecondBit];
  end

  // ---- the tap ----------------------------------------------------------------------------------
  logic  product, result, third_q;
  tt_vector_pkg::word_t taken;

  assign product       = pass_i.gate & valid_q[StageGated] & ~second_o[StageGated];
  assign gate_result_o = pass_i.gate & valid_q[StageUp] & second_o[StageUp];
  assign result        = pass_i.gate ? gate_result_o : valid_q[StageSummed];
  assign tap_o         = product | result;
  assign taken         = pass_i.gate ? word_q[StageUp] : word_q[StageSummed];

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      keep_o[l] = ~result | (~taken.beyond
                             & (~taken.partial | LaneBits'(l) < end_column_i[LaneBits-1:0]));
    end
  end

  // ---- after the tap ----------------------------------------------------------------------------
  logic [PostStages-1:0]               post_valid_q;
  logic [PostInteger:0][WordBits-1:0]  post_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      post_valid_q <= '0;
      third_q      <= 1'b0;
    end else begin
      post_valid_q <= {post_valid_q[PostStages-2:0], result};
      third_q      <= tap_o & (pass_i.gate | pass_i.square | pass_i.quantise);
    end
  end

  always_ff @(posedge clk_i) begin
    if (result || post_valid_q[PostInteger-1:0] != '0) post_q <= {post_q[PostInteger-1:0], taken};
  end

  assign result_o      = result;
  assign result_word_o = taken;

  assign third_o      = third_q;
  assign post_valid_o = post_valid_q;
  assign tap_word_o   = post_q[0];
  assign weighed_o    = post_q[PostWeighed];
  assign square_o     = post_q[PostSquare-1];
  assign step_o       = post_q[PostInteger-1];
  assign integer_o    = post_q[PostInteger];
  assign idle_o       = valid_q == '0 && post_valid_q == '0;

  logic unused;
  assign unused = ^{pass_i, end_column_i};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      // The pairs of a gate enter in step, so the two uses of the tap never meet.
      assert (!product || !gate_result_o);
    end
  end
`endif
endmodule

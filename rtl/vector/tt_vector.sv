/// The vector unit: everything of a token that is binary32, a word of Lanes elements a cycle.
///
/// It holds the residual stream (X), the work buffer (Y), norm weights (P), rotary rows (R) and the
/// scalars of the slots. Commands come in order and become passes (tt_vector_control); a pass walks
/// through its words (tt_vector_issue) and each word takes the same way through the lanes
/// (tt_vector_stages, tt_vector_lanes). Attention's output is written to Y whenever its port is
/// free.
module tt_vector #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of three columns of a block.
  parameter int unsigned Groups = 15,
  /// Elements of a word, a power of two, 2 to 16, at most BeatBytes / 4 and 3 * Groups.
  parameter int unsigned Lanes = 8,
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64,
  /// Words of buffer X.
  parameter int unsigned ResidualWords = 8192,
  /// Words of buffer Y.
  parameter int unsigned WorkWords = 16384,
  /// Blocks of buffer A.
  parameter int unsigned ActBlocks = 192,
  /// Words of buffer Q.
  parameter int unsigned QueryWords = 1024,
  /// Words of a bank of buffer P.
  parameter int unsigned ParamWords = 1024,
  /// Longest head.
  parameter int unsigned HeadDimMax = 128,
  /// Most heads of a slot.
  parameter int unsigned HeadsMax = 32,
  /// `ram_style` of X and Y.
  parameter              BufferStyle = "ultra",
  /// Bits of an address of buffer A.
  localparam int unsigned ActBits = $clog2(ActBlocks * Slots),
  /// Bits of an address of buffer Q.
  localparam int unsigned QueryBits = $clog2(QueryWords),
  /// Bits of an address of buffer P.
  localparam int unsigned ParamBits = $clog2(2 * ParamWords),
  /// Bits of an address of buffer R.
  localparam int unsigned RotaryBits = $clog2(Slots * HeadDimMax / 2 / Lanes)
) (
  /// Clock.
  input  logic                                   clk_i,
  /// Asynchronous reset, active low: no command, no sums. Reset what is around it too.
  input  logic                                   rst_ni,
  /// The model.
  input  tt_card_pkg::model_t                    model_i,
  /// Slots of the pass, at least 1.
  input  logic [7:0]                             slots_i,
  /// The slots, slot 0 lowest.
  input  logic [tt_card_pkg::SlotBits*Slots-1:0] slot_i,
  /// A command is offered.
  input  logic                                   cmd_valid_i,
  /// It is taken; depends on registers alone.
  output logic                                   cmd_ready_o,
  /// The command, checked.
  input  logic [511:0]                           cmd_i,
  /// A command is done, for one cycle.
  output logic                                   done_o,
  /// There is work.
  output logic                                   busy_o,

  /// Embed: a burst is requested.
  output logic                                   rd_valid_o,
  /// Embed: the request is taken.
  input  logic                                   rd_ready_i,
  /// Embed: byte address of the burst.
  output logic [39:0]                            rd_address_o,
  /// Embed: beats of the burst.
  output logic [4:0]                             rd_beats_o,
  /// Embed: a beat comes.
  input  logic                                   rd_data_valid_i,
  /// Embed: the beat.
  input  logic [8*BeatBytes-1:0]                 rd_data_i,

  /// A word of buffer P is written.
  input  logic                                   p_write_i,
  /// Which.
  input  logic [ParamBits-1:0]                   p_address_i,
  /// What.
  input  logic [32*Lanes-1:0]                    p_data_i,
  /// A word of buffer R is written.
  input  logic                                   r_write_i,
  /// Which.
  input  logic [RotaryBits-1:0]                  r_address_i,
  /// Cosines, above them sines.
  input  logic [64*Lanes-1:0]                    r_data_i,

  /// Sums of a panel: a word is offered.
  input  logic                                   sums_valid_i,
  /// It is taken; depends on registers alone.
  output logic                                   sums_ready_o,
  /// Sums of Lanes rows.
  input  logic [24*Lanes-1:0]                    sums_data_i,
  /// Their slot.
  input  logic [7:0]                             sums_slot_i,

  /// Attention: a word of its output.
  input  logic                                   att_valid_i,
  /// It is taken; depends on registers alone.
  output logic                                   att_ready_o,
  /// Its slot.
  input  logic [7:0]                             att_slot_i,
  /// Its word of the row.
  input  logic [15:0]                            att_word_i,
  /// The word.
  input  logic [32*Lanes-1:0]                    att_data_i,

  /// A word of buffer A is written.
  output logic                                   a_write_o,
  /// Which: block * Slots + slot.
  output logic [ActBits-1:0]                     a_address_o,
  /// What.
  output logic [24*Groups-1:0]                   a_data_o,
  /// A word of buffer Q is written.
  output logic                                   q_write_o,
  /// Which.
  output logic [QueryBits-1:0]                   q_address_o,
  /// What.
  output logic [8*BeatBytes-1:0]                 q_data_o,
  /// A query factor is written.
  output logic                                   factor_write_o,
  /// Its slot.
  output logic [7:0]                             factor_slot_o,
  /// Its head.
  output logic [7:0]                             factor_head_o,
  /// The factor.
  output logic [31:0]                            factor_o,
  /// Blocks of buffer A that may be read: fewer than all while they are written anew.
  output logic [15:0]                            a_blocks_o,
  /// Steps of buffer A, slot 0 lowest.
  output logic [32*Slots-1:0]                    step_a_o,

  /// KV writer: a word is offered.
  output logic                                   kv_valid_o,
  /// It is taken.
  input  logic                                   kv_ready_i,
  /// Integers of Lanes elements.
  output logic [8*Lanes-1:0]                     kv_data_o,
  /// Their slot.
  output logic [7:0]                             kv_slot_o,
  /// Their key-value head.
  output logic [7:0]                             kv_head_o,
  /// They are values, not keys.
  output logic                                   kv_value_o,
  /// They are the last of their row.
  output logic                                   kv_last_o,
  /// The step of the row.
  output logic [31:0]                            kv_step_o,
  /// Area of the layer.
  output logic [39:0]                            kv_base_o,
  /// The KV writer has written all it was given.
  input  logic                                   kv_idle_i
);
  localparam int unsigned Stages      = tt_vector_pkg::Stages;
  localparam int unsigned PostStages  = tt_vector_pkg::PostStages;
  localparam int unsigned StageScaled = tt_vector_pkg::StageScaled;
  localparam int unsigned PostSquare  = tt_vector_pkg::PostSquare;
  localparam int unsigned PostWeighed = tt_vector_pkg::PostWeighed;
  localparam int unsigned StageSummed = tt_vector_pkg::StageSummed;
  localparam int unsigned PostInteger = tt_vector_pkg::PostInteger;
  localparam int unsigned LaneBits     = $clog2(Lanes);
  localparam int unsigned SlotBits     = Slots > 1 ? $clog2(Slots) : 1;
  localparam int unsigned XBits        = $clog2(ResidualWords);
  localparam int unsigned YBits        = $clog2(WorkWords);
  localparam int unsigned ScaleGroups  = Slots * HeadsMax;
  localparam int unsigned GroupBits    = $clog2(ScaleGroups);
  localparam int unsigned BlockColumns = 3 * Groups;
  localparam int unsigned Waiting      = Slots > 16 ? 2 ** SlotBits : 16;
  localparam int unsigned CacheWords   = 64;

  if (tt_vector_pkg::AddLatency != tt_float_pkg::AddLatency
      || tt_vector_pkg::MulLatency != tt_float_pkg::MulLatency
      || tt_vector_pkg::FromIntLatency != tt_float_pkg::FromIntLatency
      || tt_vector_pkg::ToIntLatency != tt_float_pkg::ToIntLatency) begin : gen_bad_latency
    $fatal(1, "tt_vector: tt_vector_pkg must have the latencies of tt_float_pkg");
  end
  // Sum and second product are in one stage, a sum is there with a word of X or Y.
  if (tt_vector_pkg::AddLatency != tt_vector_pkg::MulLatency
      || tt_vector_pkg::FromIntLatency != 2) begin : gen_bad_stages
    $fatal(1, "tt_vector: the stages do not meet");
  end

  // ---- control ----------------------------------------------------------------------------------
  logic             embed_start, embed_done, factors_start, factors_two, factors_busy, start, idle;
  logic             finish, tree_busy, ask, value, normalises, to_blocks, to_queries, int4;
  logic             cache_empty, stages_idle, issue_idle, control_busy, scalars_idle;
  logic [7:0]       ask_slot, first_head;
  logic [39:0]      embed_table;
  logic [31:0]      inverse;
  logic [1:0][31:0] factors_scale;
  tt_vector_pkg::pass_t            pass;
  tt_vector_pkg::walk_t            walk;

  assign idle = issue_idle & stages_idle;

  tt_vector_control #(.Lanes(Lanes)) u_control (
    .clk_i,
    .rst_ni,
    .model_i,
    .slots_i,
    .cmd_valid_i,
    .cmd_ready_o,
    .cmd_i,
    .done_o,
    .busy_o         (control_busy),
    .embed_start_o  (embed_start),
    .embed_table_o  (embed_table),
    .embed_done_i   (embed_done),
    .factors_start_o(factors_start),
    .factors_two_o  (factors_two),
    .factors_scale_o(factors_scale),
    .factors_busy_i (factors_busy),
    .start_o        (start),
    .pass_o         (pass),
    .walk_o         (walk),
    .idle_i         (idle),
    .finish_o       (finish),
    .inverse_o      (inverse),
    .tree_busy_i    (tree_busy),
    .ask_o          (ask),
    .ask_slot_o     (ask_slot),
    .first_head_o   (first_head),
    .value_o        (value),
    .kv_base_o,
    .normalises_o   (normalises),
    .to_blocks_o    (to_blocks),
    .to_queries_o   (to_queries),
    .int4_o         (int4),
    .cache_empty_i  (cache_empty),
    .kv_idle_i
  );

  // ---- words on their way -----------------------------------------------------------------------
  logic                  issue_valid, scale_done, tap, gate_result, result, third, by_weight;
  tt_vector_pkg::word_t  issue_word, source, scalar_word, addend_word, scale_word, result_word,
                         tap_word, weighed_word, square_word, step_word, integer_word;
  logic [24*Lanes-1:0]   sums;
  logic [Stages-1:0]     valid, second;
  logic [PostStages-1:0] post_valid;
  logic [Lanes-1:0]      keep;

  tt_vector_issue #(
    .Rows        (Rows),
    .Lanes       (Lanes),
    .BlockColumns(BlockColumns),
    .Waiting     (Waiting),
    .CacheWords  (CacheWords)
  ) u_issue (
    .clk_i,
    .rst_ni,
    .start_i      (start),
    .pass_i       (pass),
    .walk_i       (walk),
    .slots_i,
    .sums_valid_i,
    .sums_ready_o,
    .sums_data_i,
    .scale_done_i (scale_done),
    .cache_taken_i(kv_valid_o & kv_ready_i),
    .valid_o      (issue_valid),
    .word_o       (issue_word),
    .sums_o       (sums),
    .cache_empty_o(cache_empty),
    .idle_o       (issue_idle)
  );

  tt_vector_stages #(.Lanes(Lanes)) u_stages (
    .clk_i,
    .rst_ni,
    .pass_i       (pass),
    .end_column_i (walk.end_column),
    .valid_i      (issue_valid),
    .word_i       (issue_word),
    .valid_o      (valid),
    .second_o     (second),
    .source_o     (source),
    .scalar_o     (scalar_word),
    .addend_o     (addend_word),
    .scale_o      (scale_word),
    .tap_o        (tap),
    .gate_result_o(gate_result),
    .keep_o       (keep),
    .result_o     (result),
    .result_word_o(result_word),
    .third_o      (third),
    .post_valid_o (post_valid),
    .tap_word_o   (tap_word),
    .weighed_o    (weighed_word),
    .square_o     (square_word),
    .step_o       (step_word),
    .integer_o    (integer_word),
    .idle_o       (stages_idle)
  );

  // ---- buffers ----------------------------------------------------------------------------------
  logic                tap_x, tap_y, x_read, embed_write, att_q;
  logic [15:0]         embed_address, att_words, att_address_q, param_word;
  logic [32*Lanes-1:0] tap_data, embed_data, x_data, y_data, att_data_q, weight;
  logic [64*Lanes-1:0] rotary;

  assign tap_x  = pass.write_x & post_valid[0];
  assign tap_y  = pass.write_y & post_valid[0];
  assign x_read = pass.add_x ? valid[StageScaled-1]
                             : valid[1] & (pass.source == tt_vector_pkg::FromX);

  tt_vector_embed #(
    .Slots    (Slots),
    .Lanes    (Lanes),
    .BeatBytes(BeatBytes)
  ) u_embed (
    .clk_i,
    .rst_ni,
    .bf16_i   (model_i.embed_bf16),
    .columns_i(model_i.hidden),
    .slots_i,
    .slot_i,
    .start_i  (embed_start),
    .table_i  (embed_table),
    .done_o   (embed_done),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .write_o  (embed_write),
    .address_o(embed_address),
    .data_o   (embed_data)
  );

  tt_ram #(.Width(32 * Lanes), .Depth(ResidualWords), .Style(BufferStyle)) u_residual (
    .clk_i,
    .write_i        (tap_x | embed_write),
    .write_address_i(embed_write ? embed_address[XBits-1:0] : tap_word.address[XBits-1:0]),
    .write_data_i   (embed_write ? embed_data : tap_data),
    .read_i         (x_read),
    .read_address_i (pass.add_x ? addend_word.address[XBits-1:0] : source.address[XBits-1:0]),
    .read_data_o    (x_data)
  );

  // Attention's words wait for a cycle in which the tap does not write.
  assign att_words   = 16'((17'(model_i.query_columns) + 17'(Lanes - 1)) >> LaneBits);
  assign att_ready_o = ~att_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) att_q <= 1'b0;
    else att_q <= att_q ? tap_y : att_valid_i;
  end

  always_ff @(posedge clk_i) begin
    if (att_valid_i && att_ready_o) begin
      att_address_q <= 16'(att_slot_i[SlotBits-1:0]) * att_words + att_word_i;
      att_data_q    <= att_data_i;
    end
  end

  tt_ram #(.Width(32 * Lanes), .Depth(WorkWords), .Style(BufferStyle)) u_work (
    .clk_i,
    .write_i        (tap_y | att_q),
    .write_address_i(tap_y ? tap_word.address[YBits-1:0] : att_address_q[YBits-1:0]),
    .write_data_i   (tap_y ? tap_data : att_data_q),
    .read_i         (valid[1] & (pass.source == tt_vector_pkg::FromY)),
    .read_address_i (source.address[YBits-1:0]),
    .read_data_o    (y_data)
  );

  // Weights of the elements that become integers, or of those that come out.
  assign by_weight  = pass.scalar == tt_vector_pkg::ByWeight;
  assign param_word = by_weight ? scalar_word.word : result_word.word;

  tt_ram #(.Width(32 * Lanes), .Depth(2 * ParamWords)) u_parameters (
    .clk_i,
    .write_i        (p_write_i),
    .write_address_i(p_address_i),
    .write_data_i   (p_data_i),
    .read_i         (by_weight ? valid[2] : result & pass.weigh),
    .read_address_i (ParamBits'((pass.bank ? ParamWords : 0) + 32'(param_word))),
    .read_data_o    (weight)
  );

  tt_ram #(.Width(64 * Lanes), .Depth(2 ** RotaryBits)) u_rotary (
    .clk_i,
    .write_i        (r_write_i),
    .write_address_i(r_address_i),
    .write_data_i   (r_data_i),
    .read_i         (valid[2] & pass.rotate),
    .read_address_i (scalar_word.side[RotaryBits-1:0]),
    .read_data_o    (rotary)
  );

  // ---- lanes ------------------------------------------------------------------------------------
  logic                tree, across, accumulate;
  logic [1:0]          load;
  logic [2:0]          step;
  logic [31:0]         factor, scale, step_read;
  logic [8*Lanes-1:0]  integers;
  logic [32*Lanes-1:0] weighed, partial, partial_new;

  tt_vector_lanes #(.Lanes(Lanes)) u_lanes (
    .clk_i,
    .rst_ni,
    .pass_i       (pass),
    .valid_i      (valid),
    .second_i     (second),
    .sums_i       (sums),
    .x_i          (x_data),
    .y_i          (y_data),
    .scalar_i     (factor),
    .rotary_i     (rotary),
    .addend_i     (x_data),
    .weight_i     (weight),
    .tap_i        (tap),
    .gate_result_i(gate_result),
    .keep_i       (keep),
    .scale_i      (scale),
    .tap_o        (tap_data),
    .weigh_i      (post_valid[1:0] & {2{pass.weigh}}),
    .weighed_o    (weighed),
    .third_i      (third),
    .integer_i    (post_valid[PostSquare] & pass.quantise),
    .integer_o    (integers),
    .load_i       (load),
    .tree_i       (tree),
    .cross_i      (across),
    .step_i       (step),
    .partial_i    (partial),
    .accumulate_i (accumulate),
    .partial_o    (partial_new)
  );

  // ---- sums of squares, maxima, scalars ---------------------------------------------------------
  logic        sum_valid, maximum_valid;
  logic [31:0] sum;
  logic [7:0]  sum_slot, maximum_slot, maximum_head, query_head;
  logic [30:0] maximum;
  logic [15:0] maximum_group;

  tt_vector_squares #(
    .Slots(Slots),
    .Lanes(Lanes)
  ) u_squares (
    .clk_i,
    .rst_ni,
    .square_i    (post_valid[PostSquare-1] & pass.square),
    .slot_i      (square_word.slot),
    .word_i      (square_word.word),
    .finish_i    (finish),
    .slots_i,
    .words_i     (walk.row_words),
    .busy_o      (tree_busy),
    .sum_valid_o (sum_valid),
    .sum_o       (sum),
    .sum_slot_o  (sum_slot),
    .load_o      (load),
    .tree_o      (tree),
    .cross_o     (across),
    .step_o      (step),
    .accumulate_o(accumulate),
    .partial_o   (partial),
    .partial_i   (partial_new)
  );

  tt_vector_maximum #(
    .Slots(Slots),
    .Lanes(Lanes)
  ) u_maximum (
    .clk_i,
    .rst_ni,
    .valid_i   (pass.weigh ? post_valid[PostWeighed] : post_valid[0] & pass.maximum),
    .row_i     (pass.weigh),
    .data_i    (pass.weigh ? weighed : tap_data),
    .word_i    (pass.weigh ? weighed_word : tap_word),
    .ask_i     (ask),
    .ask_slot_i(ask_slot),
    .valid_o   (maximum_valid),
    .maximum_o (maximum),
    .group_o   (maximum_group),
    .slot_o    (maximum_slot),
    .head_o    (maximum_head)
  );

  tt_vector_scalars #(
    .Slots  (Slots),
    .Groups (ScaleGroups),
    .Waiting(Waiting)
  ) u_scalars (
    .clk_i,
    .rst_ni,
    .slots_i,
    .factors_start_i (factors_start),
    .factors_two_i   (factors_two),
    .factors_scale_i (factors_scale),
    .factors_busy_o  (factors_busy),
    .sum_valid_i     (sum_valid),
    .sum_i           (sum),
    .sum_slot_i      (sum_slot),
    .inverse_i       (inverse),
    .eps_i           (model_i.eps),
    .maximum_valid_i (maximum_valid),
    .maximum_i       (maximum),
    .maximum_group_i (maximum_group),
    .maximum_slot_i  (maximum_slot),
    .maximum_head_i  (maximum_head),
    .int4_i          (int4),
    .to_blocks_i     (to_blocks),
    .to_queries_i    (to_queries),
    .score_constant_i(model_i.score_constant),
    .scale_done_o    (scale_done),
    .query_o         (factor_write_o),
    .query_slot_o    (factor_slot_o),
    .query_head_o    (query_head),
    .query_factor_o  (factor_o),
    .step_a_o,
    .read_i          (valid[2]),
    .factor_address_i({scalar_word.second, scalar_word.slot[SlotBits-1:0]}),
    .factor_o        (factor),
    .scale_read_i    (valid[StageSummed-1] & pass.quantise),
    .scale_address_i (scale_word.group[GroupBits-1:0]),
    .scale_o         (scale),
    .step_read_i     (post_valid[PostInteger-1] & (pass.sink == tt_vector_pkg::ToCache)),
    .step_address_i  (step_word.group[GroupBits-1:0]),
    .step_o          (step_read),
    .idle_o          (scalars_idle)
  );

  assign factor_head_o = first_head + query_head;

  // ---- integers ---------------------------------------------------------------------------------
  logic [15:0] whole;

  tt_vector_outputs #(
    .Slots       (Slots),
    .Lanes       (Lanes),
    .BlockColumns(BlockColumns),
    .BeatBytes   (BeatBytes),
    .CacheWords  (CacheWords),
    .ActBits     (ActBits),
    .QueryBits   (QueryBits)
  ) u_outputs (
    .clk_i,
    .rst_ni,
    .model_i,
    .slots_i,
    .done_i      (done_o),
    .start_i     (start),
    .pass_i      (pass),
    .heads_i     (walk.heads),
    .first_head_i(first_head),
    .valid_i     (post_valid[PostInteger]),
    .word_i      (integer_word),
    .data_i      (integers),
    .step_i      (step_read),
    .a_write_o,
    .a_address_o,
    .a_data_o,
    .a_whole_o   (whole),
    .q_write_o,
    .q_address_o,
    .q_data_o,
    .kv_valid_o,
    .kv_ready_i,
    .kv_data_o,
    .kv_slot_o,
    .kv_head_o,
    .kv_last_o,
    .kv_step_o
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) a_blocks_o <= '0;
    else a_blocks_o <= normalises ? whole : '1;
  end

  assign kv_value_o = value;
  assign busy_o     = control_busy | tree_busy | ~scalars_idle | ~idle | att_q;

  logic unused;
  assign unused = ^{model_i, sums_slot_i, att_slot_i, pass, walk, source, scalar_word,
                    addend_word, scale_word, result_word, tap_word, weighed_word, square_word,
                    step_word, integer_word, param_word, embed_address, att_address_q, valid,
                    second, post_valid};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!embed_write || !tap_x);
    end
  end
`endif
endmodule

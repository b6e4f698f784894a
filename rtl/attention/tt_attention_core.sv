/// The pipeline of attention: pages in, sums of every query out. Nothing in it ever waits.
module tt_attention_core #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a page.
  parameter int unsigned PageRows = 16,
  /// Scores and weights a cycle.
  parameter int unsigned Lanes = 4,
  /// Words of PageRows scores that the store holds.
  parameter int unsigned ScoreWords = 1024,
  /// Words of buffer Q.
  parameter int unsigned QueryWords = 1024,
  /// Query heads of the largest model.
  parameter int unsigned HeadsMax = 32,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Row words of a row in a tile.
  parameter int unsigned WordsMax = 2,
  /// Bits of the number of a column word.
  parameter int unsigned ColumnBits = 2,
  /// Bits of an address of buffer Q.
  localparam int unsigned AddressBits = $clog2(QueryWords),
  /// Bits of the number of a query: bank of its item and index.
  localparam int unsigned IndexBits = 1 + $clog2(Queries)
) (
  /// Clock.
  input  logic                                        clk_i,
  /// Asynchronous reset, active low.
  input  logic                                        rst_ni,
  /// Query heads of a key-value head.
  input  logic [7:0]                                  group_i,
  /// What follows from the model.
  input  tt_attention_pkg::shape_t                    shape_i,
  /// The slots.
  input  logic [Slots-1:0][tt_card_pkg::SlotBits-1:0] slot_i,
  /// A page comes in the stream.
  input  logic                                        load_valid_i,
  /// It is taken.
  output logic                                        load_taken_o,
  /// With K.
  input  logic                                        load_keys_i,
  /// With V.
  input  logic                                        load_values_i,
  /// With both, of two items.
  input  logic                                        load_pair_i,
  /// A beat of the stream.
  input  logic                                        beat_valid_i,
  /// It is taken.
  output logic                                        beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0]                      beat_data_i,
  /// A page to be worked on.
  input  logic                                        page_valid_i,
  /// Its last query starts.
  output logic                                        page_ready_o,
  /// The page.
  input  tt_attention_pkg::page_t                     page_i,
  /// A query factor is written.
  input  logic                                        factor_write_i,
  /// Its slot.
  input  logic [7:0]                                  factor_slot_i,
  /// Its head.
  input  logic [7:0]                                  factor_head_i,
  /// The factor.
  input  logic [31:0]                                 factor_i,
  /// Buffer Q: a word is read.
  output logic                                        q_read_o,
  /// Buffer Q: its number.
  output logic [AddressBits-1:0]                      q_address_o,
  /// Buffer Q: the word.
  input  logic [8*BeatBytes-1:0]                      q_data_i,
  /// Two items are in their V passes or outputs.
  input  logic                                        items_busy_i,
  /// The sums of an item are being read.
  input  logic                                        sums_busy_i,
  /// A pulse: the V pass of the item of page_i starts.
  output logic                                        begin_values_o,
  /// A pulse: the sums of that item are complete.
  output logic                                        complete_o,
  /// A divide of 32768 is wanted.
  output logic                                        divide_valid_o,
  /// It is taken.
  input  logic                                        divide_ready_i,
  /// The divisor.
  output logic [31:0]                                 divisor_o,
  /// The quotient is here.
  input  logic                                        quotient_valid_i,
  /// The quotient.
  input  logic [31:0]                                 quotient_i,
  /// X of a query.
  output logic                                        left_valid_o,
  /// The query.
  output logic [IndexBits-1:0]                        left_index_o,
  /// X, or infinity when X * 256 is.
  output logic [31:0]                                 left_scale_o,
  /// Query whose sum of e is wanted.
  input  logic [IndexBits-1:0]                        total_index_i,
  /// Its sum of e.
  output logic [47:0]                                 total_o,
  /// Sums are wanted.
  input  logic                                        sums_read_i,
  /// They are read.
  output logic                                        sums_ready_o,
  /// Query and column word.
  input  logic [IndexBits+ColumnBits-1:0]             sums_address_i,
  /// The sums, one cycle after.
  output logic [24*BeatBytes-1:0]                     sums_o
);
  localparam int unsigned WordBits   = WordsMax > 1 ? $clog2(WordsMax) : 1;
  localparam int unsigned Parts      = PageRows / Lanes;
  localparam int unsigned PartBits   = Parts > 1 ? $clog2(Parts) : 1;
  localparam int unsigned FactorBits = $clog2(Slots * HeadsMax);

  logic                            keys_loaded, values_loaded, keys_release, values_release;
  logic                            read, read_first, read_last, read_second, ratio_read;
  logic [tt_attention_pkg::BufferBits+WordBits-1:0] keys_address;
  logic [4*BeatBytes*PageRows-1:0] keys;
  logic [8*BeatBytes*PageRows-1:0] values;
  logic [tt_attention_pkg::BufferBits-1:0] values_buffer, ratio_buffer;
  logic [ColumnBits-1:0]           values_column;
  logic [PartBits-1:0]             part, ratio_part;
  logic [32*Lanes-1:0]             key_steps, seen_steps, ratio_steps;
  logic                            query_valid, prepared, arrived;
  tt_attention_pkg::query_t                          query, arrived_query;

  tt_attention_tiles #(
    .BeatBytes (BeatBytes),
    .PageRows  (PageRows),
    .Lanes     (Lanes),
    .WordsMax  (WordsMax),
    .ColumnBits(ColumnBits)
  ) u_tiles (
    .clk_i,
    .rst_ni,
    .shape_i,
    .page_valid_i    (load_valid_i),
    .page_ready_o    (load_taken_o),
    .page_keys_i     (load_keys_i),
    .page_values_i   (load_values_i),
    .page_pair_i     (load_pair_i),
    .beat_valid_i,
    .beat_ready_o,
    .beat_data_i,
    .keys_loaded_o   (keys_loaded),
    .values_loaded_o (values_loaded),
    .keys_release_i  (keys_release),
    .values_release_i(values_release),
    .keys_address_i  (keys_address),
    .keys_second_i   (read_second),
    .keys_o          (keys),
    .steps_read_i    (arrived && arrived_query.keys),
    .steps_buffer_i  (arrived_query.keys_buffer),
    .steps_part_i    (part),
    .key_steps_o     (key_steps),
    .seen_steps_o    (seen_steps),
    .values_buffer_i (values_buffer),
    .values_column_i (values_column),
    .values_o        (values),
    .ratio_read_i    (ratio_read),
    .ratio_buffer_i  (ratio_buffer),
    .ratio_part_i    (ratio_part),
    .ratio_steps_o   (ratio_steps)
  );

  tt_attention_issue #(
    .Parts     (Parts),
    .WordsMax  (WordsMax),
    .QueryWords(QueryWords)
  ) u_issue (
    .clk_i,
    .rst_ni,
    .group_i,
    .shape_i,
    .page_valid_i,
    .page_ready_o,
    .page_i,
    .keys_loaded_i  (keys_loaded),
    .values_loaded_i(values_loaded),
    .prepared_i     (prepared),
    .sums_busy_i,
    .begin_values_o,
    .read_o         (read),
    .read_first_o   (read_first),
    .read_last_o    (read_last),
    .read_second_o  (read_second),
    .query_address_o(q_address_o),
    .keys_address_o (keys_address),
    .query_valid_o  (query_valid),
    .query_o        (query)
  );
  assign q_read_o = read;

  // ---- dots: they arrive DotLatency + 1 cycles after their last word is read --------------------
  logic                   operand_q, operand_first_q, operand_last_q, operand_second_q;
  logic [tt_attention_pkg::DotLatency-1:0]  query_valid_q;
  logic [24*PageRows-1:0] dots;
  logic [PageRows-1:0]    visible, arrived_visible;
  logic [31:0]            factor;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      operand_q     <= 1'b0;
      query_valid_q <= '0;
    end else begin
      operand_q     <= read;
      query_valid_q <= {query_valid_q[tt_attention_pkg::DotLatency-2:0], query_valid};
    end
  end
  always_ff @(posedge clk_i) begin
    operand_first_q  <= read_first;
    operand_last_q   <= read_last;
    operand_second_q <= read_second;
  end

  tt_dot_array #(
    .Rows (PageRows),
    .Bytes(BeatBytes)
  ) u_dots (
    .clk_i,
    .rst_ni,
    .words_i (shape_i.words),
    .valid_i (operand_q),
    .first_i (operand_first_q),
    .last_i  (operand_last_q),
    .second_i(operand_second_q),
    .query_i (q_data_i),
    .rows_i  (keys),
    .dots_o  (dots)
  );

  tt_attention_visible #(
    .Slots   (Slots),
    .PageRows(PageRows)
  ) u_visible (
    .clk_i,
    .slot_i,
    .valid_i  (query_valid),
    .index_i  (query.slot),
    .row_i    (page_i.row),
    .visible_o(visible)
  );
  tt_delay #(.Width(PageRows), .Cycles(tt_attention_pkg::DotLatency - 3)) u_arrived_visible (
    .clk_i, .data_i(visible), .data_o(arrived_visible)
  );
  tt_delay #(.Width(tt_attention_pkg::QueryBits), .Cycles(tt_attention_pkg::DotLatency)) u_arrived (
    .clk_i, .data_i(query), .data_o(arrived_query)
  );
  assign arrived = query_valid_q[tt_attention_pkg::DotLatency-1];

  tt_ram #(.Width(32), .Depth(Slots * HeadsMax)) u_factors (
    .clk_i,
    .write_i        (factor_write_i),
    .write_address_i(FactorBits'(factor_slot_i * HeadsMax + 32'(factor_head_i))),
    .write_data_i   (factor_i),
    .read_i         (arrived),
    .read_address_i (FactorBits'(arrived_query.slot * HeadsMax + 32'(arrived_query.head))),
    .read_data_o    (factor)
  );

  // ---- scores and maxima -----------------------------------------------------------------------
  logic                 part_valid, early_valid, due_valid, score_valid;
  logic [PartBits-1:0]  early_part, score_part;
  tt_attention_pkg::query_t               part_query, early_query, due_query, score_query;
  logic [Lanes-1:0]     part_visible;
  logic [24*Lanes-1:0]  score, value_score;
  logic                 part_counts, score_counts;
  logic [23:0]          left_max;
  logic [31:0]          left_per_step;

  tt_attention_scores #(
    .PageRows  (PageRows),
    .Lanes     (Lanes),
    .ScoreWords(ScoreWords)
  ) u_scores (
    .clk_i,
    .rst_ni,
    .query_valid_i (arrived),
    .query_i       (arrived_query),
    .visible_i     (arrived_visible),
    .dots_i        (dots),
    .factor_i      (factor),
    .part_valid_o  (part_valid),
    .part_o        (part),
    .part_query_o  (part_query),
    .part_visible_o(part_visible),
    .steps_i       (key_steps),
    .keys_release_o(keys_release),
    .early_valid_o (early_valid),
    .early_part_o  (early_part),
    .early_query_o (early_query),
    .due_valid_o   (due_valid),
    .due_query_o   (due_query),
    .score_valid_o (score_valid),
    .score_part_o  (score_part),
    .score_query_o (score_query),
    .score_o       (score),
    .value_score_o (value_score)
  );

  // Of a K pass: not when they are made again.
  assign part_counts  = part_query.keys && (!part_query.values || part_query.store);
  assign score_counts = score_query.keys && (!score_query.values || score_query.store);

  tt_attention_maxima #(
    .Lanes  (Lanes),
    .Queries(Queries),
    .Parts  (Parts)
  ) u_maxima (
    .clk_i,
    .rst_ni,
    .group_i,
    .step_valid_i    (part_valid && part_counts),
    .step_part_i     (part),
    .step_query_i    (part_query),
    .step_visible_i  (part_visible),
    .steps_i         (seen_steps),
    .score_valid_i   (score_valid && score_counts),
    .score_part_i    (score_part),
    .score_query_i   (score_query),
    .score_i         (score),
    .items_busy_i,
    .prepared_o      (prepared),
    .begin_values_i  (begin_values_o),
    .divide_valid_o,
    .divide_ready_i,
    .divisor_o,
    .quotient_valid_i,
    .quotient_i,
    .write_o         (left_valid_o),
    .write_index_o   (left_index_o),
    .max_score_o     (left_max),
    .per_step_o      (left_per_step),
    .scale_o         (left_scale_o)
  );

  // ---- weights and sums ------------------------------------------------------------------------
  logic                   word_valid;
  logic [16*PageRows-1:0] word;
  tt_attention_pkg::query_t                 word_query;

  tt_attention_weights #(
    .PageRows(PageRows),
    .Lanes   (Lanes),
    .Queries (Queries)
  ) u_weights (
    .clk_i,
    .rst_ni,
    .write_i       (left_valid_o),
    .write_index_i (left_index_o),
    .max_score_i   (left_max),
    .per_step_i    (left_per_step),
    .early_valid_i (early_valid),
    .early_part_i  (early_part),
    .early_query_i (early_query),
    .steps_read_o  (ratio_read),
    .steps_buffer_o(ratio_buffer),
    .steps_part_o  (ratio_part),
    .steps_i       (ratio_steps),
    .due_valid_i   (due_valid),
    .due_query_i   (due_query),
    .score_valid_i (score_valid),
    .score_part_i  (score_part),
    .score_query_i (score_query),
    .score_i       (value_score),
    .word_valid_o  (word_valid),
    .word_o        (word),
    .word_query_o  (word_query),
    .total_index_i,
    .total_o
  );

  tt_value_array #(
    .Rows      (PageRows),
    .Columns   (BeatBytes / 2),
    .ColumnBits(ColumnBits),
    .Queries   (Queries)
  ) u_values (
    .clk_i,
    .rst_ni,
    .columns_i     (shape_i.columns),
    .word_valid_i  (word_valid),
    .word_i        (word),
    .query_i       (word_query),
    .read_buffer_o (values_buffer),
    .read_column_o (values_column),
    .rows_i        (values),
    .release_o     (values_release),
    .complete_o,
    .sums_read_i,
    .sums_ready_o,
    .sums_address_i,
    .sums_o
  );
endmodule

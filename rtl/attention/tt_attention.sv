/// Ternary attention of a layer: every slot's queries against the rows of its sequence.
///
/// Neighbouring slots of one sequence share the stream. For each key-value head, K and the steps of
/// a sequence are streamed page by page (K pass: scores, their maximum M, the largest step X), then
/// V (V pass: weights, their sums L and O), and y = O * ((X * 256) / L) leaves. The V pass runs
/// beside the K pass of the next head, and the output beside both. Scores wait in a store between
/// the passes. Pages whose scores do not fit there are streamed with their K again in the V pass
/// and scored again: contexts of any length need no memory of their own, and the result is the same
/// because scores are functions of K.
module tt_attention #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat, 16 or more.
  parameter int unsigned BeatBytes = 64,
  /// Elements of an output word.
  parameter int unsigned Lanes = 8,
  /// Rows of a page, 8, 16 or 32.
  parameter int unsigned PageRows = 16,
  /// Scores, weights and elements of the output a cycle; divides Lanes and PageRows.
  parameter int unsigned ScoreLanes = 4,
  /// Words of PageRows scores that the store holds.
  parameter int unsigned ScoreWords = 1024,
  /// Words of buffer Q.
  parameter int unsigned QueryWords = 1024,
  /// Elements of the largest head.
  parameter int unsigned HeadDimMax = 128,
  /// Query heads of the largest model.
  parameter int unsigned HeadsMax = 32,
  /// Beats that are requested ahead, a power of two, at least 16.
  parameter int unsigned Ahead = 128,
  /// Bits of an address of buffer Q.
  localparam int unsigned QueryBits = $clog2(QueryWords)
) (
  /// Clock.
  input  logic                                        clk_i,
  /// Asynchronous reset, active low: no command, nothing in flight. Reset the memory with it.
  input  logic                                        rst_ni,
  /// The model; constant during a pass.
  input  tt_card_pkg::model_t                         model_i,
  /// Slots of the pass, 1..Slots.
  input  logic [7:0]                                  slots_i,
  /// The slots: tt_card_pkg::slot_t each.
  input  logic [Slots-1:0][tt_card_pkg::SlotBits-1:0] slot_i,
  /// An attend command is offered.
  input  logic                                        cmd_valid_i,
  /// The command is taken; depends on registers alone.
  output logic                                        cmd_ready_o,
  /// The command: tt_command_pkg::attend_t.
  input  logic [511:0]                                cmd_i,
  /// A pulse: the last output word of the command was taken.
  output logic                                        done_o,
  /// A command is here.
  output logic                                        busy_o,
  /// A pulse: a page table names a page that the cache does not have; page 0 was read instead.
  output logic                                        error_o,

  /// A query factor is written.
  input  logic                                        factor_write_i,
  /// Its slot.
  input  logic [7:0]                                  factor_slot_i,
  /// Its query head.
  input  logic [7:0]                                  factor_head_i,
  /// The factor: step of the query times the score constant, binary32.
  input  logic [31:0]                                 factor_i,

  /// Buffer Q: a word is read.
  output logic                                        q_read_o,
  /// Buffer Q: word (slot * heads + head) * words of a head + w.
  output logic [QueryBits-1:0]                        q_address_o,
  /// Buffer Q: the word, one cycle after; zero past the head.
  input  logic [8*BeatBytes-1:0]                      q_data_i,

  /// An output word for buffer Y.
  output logic                                        att_valid_o,
  /// It is taken.
  input  logic                                        att_ready_i,
  /// Its slot.
  output logic [7:0]                                  att_slot_o,
  /// Its number: (head * head_dim + d) / Lanes.
  output logic [15:0]                                 att_word_o,
  /// Its elements, binary32.
  output logic [32*Lanes-1:0]                         att_data_o,

  /// Memory: a burst is requested.
  output logic                                        rd_valid_o,
  /// Memory: the request is taken.
  input  logic                                        rd_ready_i,
  /// Memory: byte address of the burst.
  output logic [39:0]                                 rd_address_o,
  /// Memory: beats of the burst, 1..16.
  output logic [4:0]                                  rd_beats_o,
  /// Memory: a beat comes.
  input  logic                                        rd_data_valid_i,
  /// Memory: the beat.
  input  logic [8*BeatBytes-1:0]                      rd_data_i
);

  localparam int unsigned SizeBits   = $clog2(BeatBytes);
  localparam int unsigned LaneBits   = $clog2(Lanes);
  localparam int unsigned Columns    = BeatBytes / 2;
  localparam int unsigned WordsMax   = (HeadDimMax + BeatBytes - 1) / BeatBytes;
  localparam int unsigned WordsBits  = $clog2(WordsMax + 1);
  localparam int unsigned ColumnsMax = (HeadDimMax + Columns - 1) / Columns;
  localparam int unsigned ColumnBits = ColumnsMax > 1 ? $clog2(ColumnsMax) : 1;
  localparam int unsigned Queries    = Slots * HeadsMax < 64 ? Slots * HeadsMax : 64;
  localparam int unsigned IndexBits  = 1 + $clog2(Queries);

  if (HeadsMax > 64 || PageRows > 32 || Lanes % ScoreLanes != 0 || PageRows % ScoreLanes != 0
      || Slots * HeadsMax < 2) begin : gen_bad
    $fatal(1, "tt_attention: HeadsMax, PageRows or ScoreLanes");
  end

  // ---- the command -----------------------------------------------------------------------------
  tt_command_pkg::attend_t command;
  tt_attention_pkg::shape_t                  shape, shape_q;
  logic [39:0]             kv_base_q;
  logic [15:0]             row_bytes;
  logic                    busy_q, start_q, accept, last_done, done_q, stream_idle;

  assign command     = cmd_i;
  assign accept      = cmd_valid_i && cmd_ready_o;
  assign cmd_ready_o = !busy_q && stream_idle;
  assign busy_o      = busy_q;
  assign done_o      = done_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q  <= 1'b0;
      start_q <= 1'b0;
      done_q  <= 1'b0;
    end else begin
      start_q <= accept && slots_i != '0;
      done_q  <= last_done || (accept && slots_i == '0);
      if (accept) busy_q <= 1'b1;
      else if (done_q) busy_q <= 1'b0;
    end
  end

  assign row_bytes = model_i.kv_int4 ? {1'b0, model_i.head_dim[15:1]} : model_i.head_dim;
  always_comb begin
    shape             = '0;
    shape.words       = 8'((17'(model_i.head_dim) + 17'(BeatBytes - 1)) >> SizeBits);
    shape.columns     = 8'((17'(model_i.head_dim) + 17'(Columns - 1)) >> (SizeBits - 1));
    shape.int4        = model_i.kv_int4;
    shape.row_beats   = 16'((32'(row_bytes) * PageRows + (BeatBytes - 1)) >> SizeBits);
    shape.head_words  = model_i.head_dim >> LaneBits;
    for (int unsigned i = 0; i < WordsBits; i++) begin
      if (shape.words[i]) begin
        shape.slot_words  = shape.slot_words + (16'(model_i.heads) << i);
        shape.group_words = shape.group_words + (16'(model_i.group) << i);
      end
    end
    // Cuts of the loader: both words of an int4 row at once, two rows of half a beat at once, two
    // rows of a beat and a half in three.
    shape.wide        = model_i.kv_int4 && shape.words == 8'd2;
    shape.pair        = row_bytes == 16'(BeatBytes / 2) && shape.words == 8'd1;
    shape.half        = !model_i.kv_int4 && row_bytes == 16'(BeatBytes + BeatBytes / 2);
    if (shape.pair || shape.half) shape.last_bytes = 16'(BeatBytes);
    else if (shape.wide) shape.last_bytes = row_bytes;
    else begin
      shape.last_bytes = row_bytes - (16'(shape.words - 1'b1)
                                      << (model_i.kv_int4 ? SizeBits - 1 : SizeBits));
    end
  end
  always_ff @(posedge clk_i) begin
    if (accept) begin
      shape_q   <= shape;
      kv_base_q <= command.kv_base;
    end
  end

  // ---- the stream ------------------------------------------------------------------------------
  logic                   walk_page_valid, load_ready, issue_ready;
  logic                   load_valid, load_taken, load_keys, load_values, load_pair;
  logic                   beat_valid, beat_ready;
  logic [8*BeatBytes-1:0] beat;
  logic                   page_valid, page_ready;
  tt_attention_pkg::page_t                  walk_page, page;

  tt_attention_stream #(
    .Slots     (Slots),
    .BeatBytes (BeatBytes),
    .PageRows  (PageRows),
    .Queries   (Queries),
    .ScoreWords(ScoreWords),
    .Ahead     (Ahead)
  ) u_stream (
    .clk_i,
    .rst_ni,
    .model_i,
    .shape_i     (shape_q),
    .slots_i,
    .slot_i,
    .start_i     (start_q),
    .kv_base_i   (kv_base_q),
    .page_valid_o(walk_page_valid),
    .page_ready_i(load_ready && issue_ready),
    .page_o      (walk_page),
    .beat_valid_o(beat_valid),
    .beat_ready_i(beat_ready),
    .beat_data_o (beat),
    .idle_o      (stream_idle),
    .error_o,
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i
  );

  tt_fifo #(.Width(3), .Depth(16)) u_load_pages (
    .clk_i,
    .rst_ni,
    .valid_i(walk_page_valid && issue_ready),
    .ready_o(load_ready),
    .data_i ({walk_page.keys, walk_page.values,
              walk_page.keys && walk_page.values && walk_page.store}),
    .valid_o(load_valid),
    .ready_i(load_taken),
    .data_o ({load_keys, load_values, load_pair})
  );

  tt_fifo #(.Width(tt_attention_pkg::PageBits), .Depth(16)) u_issue_pages (
    .clk_i,
    .rst_ni,
    .valid_i(walk_page_valid && load_ready),
    .ready_o(issue_ready),
    .data_i (walk_page),
    .valid_o(page_valid),
    .ready_i(page_ready),
    .data_o (page)
  );

  // ---- scores, weights, sums -------------------------------------------------------------------
  logic                            begin_values, complete, idle, start, finishing_q, bank_q;
  logic [1:0]                      items_q;     // items in their V passes or outputs
  logic [1:0]                      complete_q;  // those of them that wait for their outputs
  logic                            divide_valid, quotient_valid, divide_ready, end_divide, owner_q;
  logic                            left_valid, sums_read, sums_ready;
  logic [31:0]                     divisor, end_dividend, end_divisor, quotient, left_scale;
  logic [IndexBits-1:0]            left_index, total_index;
  logic [47:0]                     total;
  logic [IndexBits+ColumnBits-1:0] sums_address;
  logic [48*Columns-1:0]           sums;
  tt_attention_pkg::page_t                           item;
  logic [1:0][tt_attention_pkg::PageBits-1:0]        item_q;

  tt_attention_core #(
    .Slots     (Slots),
    .BeatBytes (BeatBytes),
    .PageRows  (PageRows),
    .Lanes     (ScoreLanes),
    .ScoreWords(ScoreWords),
    .QueryWords(QueryWords),
    .HeadsMax  (HeadsMax),
    .Queries   (Queries),
    .WordsMax  (WordsMax),
    .ColumnBits(ColumnBits)
  ) u_core (
    .clk_i,
    .rst_ni,
    .group_i         (model_i.group),
    .shape_i         (shape_q),
    .slot_i,
    .load_valid_i    (load_valid),
    .load_taken_o    (load_taken),
    .load_keys_i     (load_keys),
    .load_values_i   (load_values),
    .load_pair_i     (load_pair),
    .beat_valid_i    (beat_valid),
    .beat_ready_o    (beat_ready),
    .beat_data_i     (beat),
    .page_valid_i    (page_valid),
    .page_ready_o    (page_ready),
    .page_i          (page),
    .factor_write_i,
    .factor_slot_i,
    .factor_head_i,
    .factor_i,
    .q_read_o,
    .q_address_o,
    .q_data_i,
    .items_busy_i    (items_q[1]),
    .sums_busy_i     (finishing_q),
    .begin_values_o  (begin_values),
    .complete_o      (complete),
    .divide_valid_o  (divide_valid),
    .divide_ready_i  (divide_ready),
    .divisor_o       (divisor),
    .quotient_valid_i(quotient_valid && !owner_q),
    .quotient_i      (quotient),
    .left_valid_o    (left_valid),
    .left_index_o    (left_index),
    .left_scale_o    (left_scale),
    .total_index_i   (total_index),
    .total_o         (total),
    .sums_read_i     (sums_read),
    .sums_ready_o    (sums_ready),
    .sums_address_i  (sums_address),
    .sums_o          (sums)
  );

  // Two items may be in their V passes and outputs, a bank each; outputs come one after the other.
  assign start = complete_q != '0 && !finishing_q;
  assign item  = item_q[bank_q];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      items_q     <= '0;
      complete_q  <= '0;
      finishing_q <= 1'b0;
      bank_q      <= 1'b0;
    end else begin
      items_q    <= items_q + 2'(begin_values) - 2'(idle);
      complete_q <= complete_q + 2'(complete) - 2'(start);
      if (start) finishing_q <= 1'b1;
      else if (idle) finishing_q <= 1'b0;
      if (idle) bank_q <= !bank_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (begin_values) item_q[page.bank] <= page;
  end

  // ---- the end of an item ----------------------------------------------------------------------
  tt_attention_finish #(
    .Lanes     (ScoreLanes),
    .OutLanes  (Lanes),
    .Columns   (Columns),
    .ColumnBits(ColumnBits),
    .Queries   (Queries)
  ) u_finish (
    .clk_i,
    .rst_ni,
    .group_i         (model_i.group),
    .head_words_i    (shape_q.head_words),
    .start_i         (start),
    .item_i          (item),
    .idle_o          (idle),
    .done_o          (last_done),
    .write_i         (left_valid),
    .write_index_i   (left_index),
    .scale_i         (left_scale),
    .total_index_o   (total_index),
    .total_i         (total),
    .divide_valid_o  (end_divide),
    .divide_ready_i  (divide_ready && !divide_valid),
    .dividend_o      (end_dividend),
    .divisor_o       (end_divisor),
    .quotient_valid_i(quotient_valid && owner_q),
    .quotient_i      (quotient),
    .sums_read_o     (sums_read),
    .sums_ready_i    (sums_ready),
    .sums_address_o  (sums_address),
    .sums_i          (sums),
    .att_valid_o,
    .att_ready_i,
    .att_slot_o,
    .att_word_o,
    .att_data_o
  );

  // The end of the K pass goes before.
  always_ff @(posedge clk_i) begin
    if (divide_ready && (divide_valid || end_divide)) owner_q <= !divide_valid;
  end
  tt_fdiv u_divide (
    .clk_i,
    .rst_ni,
    .valid_i (end_divide || divide_valid),
    .ready_o (divide_ready),
    .a_i     (divide_valid ? 32'h47000000 : end_dividend),  // 32768.0
    .b_i     (divide_valid ? divisor : end_divisor),
    .valid_o (quotient_valid),
    .result_o(quotient)
  );

  logic unused;
  assign unused = ^{command, model_i};
endmodule

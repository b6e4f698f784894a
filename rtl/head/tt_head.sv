/// The vocabulary head: screen, exact logits of candidates or of every token, ranking, results.
///
///   sums ──► tt_head_screen ─────────────► keys ─► tt_head_heap ─► tt_head_emit ─┐
///   rows ──► tt_head_dot ─► tt_head_logit ─┘ │         ▲ │                       ▼
///              ▲                             └─────────┼─┼──(every logit)─► tt_head_pack ─► memory
///              └── requests ── tt_head_walk ◄──────────┴─┘
///
/// Bank 0 of the heaps holds what the screen keeps, bank 1 the scored candidates. `emit` empties
/// bank 1. A slot that does not want candidates takes part in nothing.
module tt_head #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Sums of a word.
  parameter int unsigned Lanes = 8,
  /// Rows of a tile of the linear layers.
  parameter int unsigned Rows = 7,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Candidates of a slot, a power of two; 8 bytes of them fill whole beats.
  parameter int unsigned Candidates = 256,
  /// Words of the buffer of inputs.
  parameter int unsigned QueryWords = 1024,
  /// Beats read ahead, a power of two.
  parameter int unsigned FifoDepth = 64,
  /// `ram_style` of the heaps.
  parameter              HeapStyle = "ultra",
  /// Bits of an address of the inputs.
  localparam int unsigned AddressBits = $clog2(QueryWords)
) (
  /// Clock.
  input  logic                                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                                   rst_ni,
  /// A command is offered.
  input  logic                                   cmd_valid_i,
  /// The command is taken.
  output logic                                   cmd_ready_o,
  /// The command.
  input  logic [511:0]                           cmd_i,
  /// The command is done, a pulse.
  output logic                                   done_o,
  /// A command is being worked on.
  output logic                                   busy_o,
  /// The model.
  input  tt_card_pkg::model_t                    model_i,
  /// Slots of the pass, 1..Slots.
  input  logic [7:0]                             slots_i,
  /// The slots: slot s is a slot_t in bits SlotBits*s up.
  input  logic [tt_card_pkg::SlotBits*Slots-1:0] slot_i,
  /// Step of the head's input of each slot, binary32.
  input  logic [32*Slots-1:0]                    step_a_i,
  /// Address of the results, a multiple of BeatBytes.
  input  logic [39:0]                            results_i,
  /// Address of the logits, a multiple of BeatBytes.
  input  logic [39:0]                            logits_i,
  /// A word of sums is offered.
  input  logic                                   hsums_valid_i,
  /// The word is taken.
  output logic                                   hsums_ready_o,
  /// Sum of row l in bits 24l up, signed.
  input  logic [24*Lanes-1:0]                    hsums_data_i,
  /// Slot of the word.
  input  logic [7:0]                             hsums_slot_i,
  /// The word is the last of its panel.
  input  logic                                   hsums_last_i,
  /// Reads a word of the inputs.
  output logic                                   q_read_o,
  /// Word to read.
  output logic [AddressBits-1:0]                 q_address_o,
  /// That word, one cycle later.
  input  logic [8*BeatBytes-1:0]                 q_data_i,
  /// A burst of reads is requested.
  output logic                                   rd_valid_o,
  /// The request is taken.
  input  logic                                   rd_ready_i,
  /// Byte address of the burst.
  output logic [39:0]                            rd_address_o,
  /// Beats of the burst.
  output logic [4:0]                             rd_beats_o,
  /// A beat comes.
  input  logic                                   rd_data_valid_i,
  /// The beat.
  input  logic [8*BeatBytes-1:0]                 rd_data_i,
  /// A burst of writes is requested.
  output logic                                   wr_valid_o,
  /// The request is taken.
  input  logic                                   wr_ready_i,
  /// Byte address of the burst.
  output logic [39:0]                            wr_address_o,
  /// Beats of the burst.
  output logic [4:0]                             wr_beats_o,
  /// A beat is offered.
  output logic                                   wr_data_valid_o,
  /// The beat is taken.
  input  logic                                   wr_data_ready_i,
  /// The beat.
  output logic [8*BeatBytes-1:0]                 wr_data_o,
  /// Its bytes that are written.
  output logic [BeatBytes-1:0]                   wr_strobe_o,
  /// A burst is answered, a pulse.
  input  logic                                   wr_done_i
);
  localparam int unsigned SlotBits   = Slots > 1 ? $clog2(Slots) : 1;
  localparam int unsigned KeyBits    = 72;
  localparam int unsigned PairBits   = $clog2(Candidates) - 1;
  localparam int unsigned WordBits   = $clog2(BeatBytes) - 2;
  // Rows and Lanes have the smaller of their powers of two in common; Lanes is one.
  localparam int unsigned RowsPower  = Rows & (~Rows + 1);
  localparam int unsigned ChunkWords = Rows / (RowsPower < Lanes ? RowsPower : Lanes);

  if (Candidates * 8 % BeatBytes != 0) begin : gen_bad_candidates
    $fatal(1, "tt_head: the results of a slot must be whole beats");
  end

  // ---- command -----------------------------------------------------------------------------------
  logic [Slots-1:0]    heads;
  logic [SlotBits-1:0] last_slot, slot;
  logic [15:0]         row_beats, input_words;
  logic [WordBits-1:0] step_word;
  logic [31:0]         all_beats, logit_beats;
  logic                op_screen, op_score, op_score_all, op_emit, with_logits;
  logic [39:0]         address;
  logic [31:0]         first_token, rows;
  logic                clear_valid, clear_ready, launch, next_slot, steady, slot_idle;

  tt_head_control #(
    .Slots    (Slots),
    .BeatBytes(BeatBytes)
  ) u_control (
    .clk_i,
    .rst_ni,
    .cmd_valid_i,
    .cmd_ready_o,
    .cmd_i,
    .done_o,
    .busy_o,
    .model_i,
    .slots_i,
    .slot_i,
    .heads_o       (heads),
    .last_slot_o   (last_slot),
    .row_beats_o   (row_beats),
    .input_words_o (input_words),
    .step_word_o   (step_word),
    .all_beats_o   (all_beats),
    .logit_beats_o (logit_beats),
    .screen_o      (op_screen),
    .score_o       (op_score),
    .score_all_o   (op_score_all),
    .emit_o        (op_emit),
    .logits_o      (with_logits),
    .address_o     (address),
    .first_token_o (first_token),
    .rows_o        (rows),
    .slot_o        (slot),
    .clear_valid_o (clear_valid),
    .clear_ready_i (clear_ready),
    .launch_o      (launch),
    .next_slot_o   (next_slot),
    .slot_idle_i   (slot_idle),
    .steady_i      (steady)
  );

  // ---- reader: row weights, rows of candidates, all rows -----------------------------------------
  logic                   row_valid, start_valid, start_ready, beat_valid, beat_ready, walk_idle;
  logic [39:0]            row_address;
  logic [31:0]            start_beats;
  logic [8*BeatBytes-1:0] beat_data;

  assign start_valid = launch | row_valid;
  always_comb begin
    if (op_screen) start_beats = (rows + BeatBytes / 2 - 1) / (BeatBytes / 2);
    else start_beats = op_score ? 32'(row_beats) : all_beats;
  end

  tt_beat_reader #(
    .BeatBytes(BeatBytes),
    .FifoDepth(FifoDepth)
  ) u_reader (
    .clk_i,
    .rst_ni,
    .start_valid_i  (start_valid),
    .start_ready_o  (start_ready),
    .start_address_i(op_score ? row_address : address),
    .start_beats_i  (start_beats),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .beat_valid_o   (beat_valid),
    .beat_ready_i   (beat_ready),
    .beat_data_o    (beat_data)
  );

  // ---- screen ------------------------------------------------------------------------------------
  logic                screen_beat_ready, screen_idle, screen_valid, root_read, root_stale;
  logic [SlotBits-1:0] root_slot, screen_slot;
  logic [KeyBits-1:0]  root, screen_key;

  tt_head_screen #(
    .Slots     (Slots),
    .Lanes     (Lanes),
    .ChunkWords(ChunkWords),
    .BeatBytes (BeatBytes)
  ) u_screen (
    .clk_i,
    .rst_ni,
    .start_i      (launch & op_screen),
    .first_token_i(first_token),
    .rows_i       (rows),
    .last_slot_i  (last_slot),
    .heads_i      (heads),
    .beat_valid_i (beat_valid & op_screen),
    .beat_ready_o (screen_beat_ready),
    .beat_data_i  (beat_data),
    .sums_valid_i (hsums_valid_i),
    .sums_ready_o (hsums_ready_o),
    .sums_data_i  (hsums_data_i),
    .sums_slot_i  (hsums_slot_i),
    .sums_last_i  (hsums_last_i),
    .root_read_o  (root_read),
    .root_slot_o  (root_slot),
    .root_i       (root),
    .root_stale_i (root_stale),
    .key_valid_o  (screen_valid),
    .key_ready_i  (room),
    .key_slot_o   (screen_slot),
    .key_o        (screen_key),
    .idle_o       (screen_idle)
  );

  // ---- scores ------------------------------------------------------------------------------------
  logic                score_beat_ready, score_idle, begun, score_valid, room;
  logic                peek_valid, peek_ready;
  logic [PairBits-1:0] peek_pair;
  logic [SlotBits-1:0] slot_q, score_slot;
  logic [KeyBits-1:0]  peek_left, peek_right, score_key;

  tt_head_score #(
    .Slots      (Slots),
    .Candidates (Candidates),
    .BeatBytes  (BeatBytes),
    .AddressBits(AddressBits)
  ) u_score (
    .clk_i,
    .rst_ni,
    .all_i          (op_score_all),
    .launch_i       (launch & op_score_all),
    .next_slot_i    (next_slot & op_score),
    .slot_i         (slot_q),
    .heads_i        (heads),
    .vocab_i        (model_i.vocab),
    .address_i      (address),
    .row_beats_i    (row_beats),
    .input_words_i  (input_words),
    .step_word_i    (step_word),
    .step_x_i       (step_a_i),
    .peek_valid_o   (peek_valid),
    .peek_ready_i   (peek_ready),
    .peek_pair_o    (peek_pair),
    .peek_left_i    (peek_left),
    .peek_right_i   (peek_right),
    .peek_root_i    (root),
    .start_valid_o  (row_valid),
    .start_ready_i  (start_ready),
    .start_address_o(row_address),
    .beat_valid_i   (beat_valid & ~op_screen),
    .beat_ready_o   (score_beat_ready),
    .beat_data_i    (beat_data),
    .q_read_o,
    .q_address_o,
    .q_data_i,
    .room_i         (room),
    .begun_o        (begun),
    .key_valid_o    (score_valid),
    .key_slot_o     (score_slot),
    .key_o          (score_key),
    .walk_idle_o    (walk_idle),
    .idle_o         (score_idle)
  );

  assign beat_ready = op_screen ? screen_beat_ready : score_beat_ready;

  always_ff @(posedge clk_i) begin
    if (next_slot) slot_q <= slot;
  end

  // ---- heaps and results -------------------------------------------------------------------------
  logic emit_idle, best_idle;

  tt_head_best #(
    .Slots     (Slots),
    .Candidates(Candidates),
    .BeatBytes (BeatBytes),
    .HeapStyle (HeapStyle)
  ) u_best (
    .clk_i,
    .rst_ni,
    .screen_i       (op_screen),
    .emit_i         (op_emit),
    .with_logits_i  (with_logits),
    .vocab_i        (model_i.vocab),
    .results_i,
    .logits_i,
    .logit_beats_i  (logit_beats),
    .clear_valid_i  (clear_valid),
    .clear_ready_o  (clear_ready),
    .clear_slot_i   (slot),
    .next_slot_i    (next_slot & op_emit),
    .slot_i         (slot_q),
    .room_o         (room),
    .begun_i        (begun),
    .screen_valid_i (screen_valid),
    .screen_slot_i  (screen_slot),
    .screen_key_i   (screen_key),
    .score_valid_i  (score_valid),
    .score_slot_i   (score_slot),
    .score_key_i    (score_key),
    .root_read_i    (op_screen ? root_read : peek_ready),
    .root_slot_i    (op_screen ? root_slot : slot_q),
    .root_o         (root),
    .root_stale_o   (root_stale),
    .peek_valid_i   (peek_valid),
    .peek_ready_o   (peek_ready),
    .peek_pair_i    (peek_pair),
    .peek_left_o    (peek_left),
    .peek_right_o   (peek_right),
    .wr_valid_o,
    .wr_ready_i,
    .wr_address_o,
    .wr_beats_o,
    .wr_data_valid_o,
    .wr_data_ready_i,
    .wr_data_o,
    .wr_strobe_o,
    .wr_done_i,
    .emit_idle_o    (emit_idle),
    .idle_o         (best_idle)
  );

  assign slot_idle = op_emit ? emit_idle : walk_idle;
  assign steady    = screen_idle & score_idle & best_idle;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!launch || start_ready);
      assert (!done_o || !beat_valid);
    end
  end
`endif
endmodule

/// The best keys of each slot and what becomes of them: keys of the screen or of the scores go to
/// the heaps, through a FIFO; with logits, every logit goes to memory too; emit empties the heaps of
/// the scores to memory.
module tt_head_best #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Keys of a heap.
  parameter int unsigned Candidates = 256,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// `ram_style` of the heaps.
  parameter              HeapStyle = "ultra",
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Bits of a key.
  localparam int unsigned KeyBits = 72,
  /// Bits of a word number in a heap.
  localparam int unsigned PairBits = $clog2(Candidates) - 1
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: nothing on its way.
  input  logic                   rst_ni,
  /// The command is a screen.
  input  logic                   screen_i,
  /// The command is an emit.
  input  logic                   emit_i,
  /// Every logit goes to memory.
  input  logic                   with_logits_i,
  /// Tokens; constant.
  input  logic [31:0]            vocab_i,
  /// Address of the results; constant.
  input  logic [39:0]            results_i,
  /// Address of the logits; constant.
  input  logic [39:0]            logits_i,
  /// Beats of a slot's logits; constant.
  input  logic [31:0]            logit_beats_i,
  /// Empties a heap; holds until ready.
  input  logic                   clear_valid_i,
  /// The heap is empty at the end of this cycle.
  output logic                   clear_ready_o,
  /// Slot to clear.
  input  logic [SlotBits-1:0]    clear_slot_i,
  /// Emits a slot; only while emit_idle_o is high.
  input  logic                   next_slot_i,
  /// Slot to emit from the next cycle on, or to peek into.
  input  logic [SlotBits-1:0]    slot_i,
  /// There is a place for one more key.
  output logic                   room_o,
  /// A key of the scores claims that place.
  input  logic                   begun_i,
  /// A key of the screen is offered; it is taken when there is room.
  input  logic                   screen_valid_i,
  /// Its slot.
  input  logic [SlotBits-1:0]    screen_slot_i,
  /// The key.
  input  logic [KeyBits-1:0]     screen_key_i,
  /// A key of the scores comes, to a place that it claimed.
  input  logic                   score_valid_i,
  /// Its slot.
  input  logic [SlotBits-1:0]    score_slot_i,
  /// The key: logit, inverted token, NaN, zeros.
  input  logic [KeyBits-1:0]     score_key_i,
  /// Reads a root of bank 0: at root_o one cycle later; holds.
  input  logic                   root_read_i,
  /// Slot of that root.
  input  logic [SlotBits-1:0]    root_slot_i,
  /// That root.
  output logic [KeyBits-1:0]     root_o,
  /// It was written in the cycle of the read: root_o means nothing.
  output logic                   root_stale_o,
  /// Reads a word of the heap of slot_i, bank 0; holds until ready.
  input  logic                   peek_valid_i,
  /// The word is there in the next cycle.
  output logic                   peek_ready_o,
  /// Word to read.
  input  logic [PairBits-1:0]    peek_pair_i,
  /// Left half of the word.
  output logic [KeyBits-1:0]     peek_left_o,
  /// Right half.
  output logic [KeyBits-1:0]     peek_right_o,
  /// A burst of writes is requested.
  output logic                   wr_valid_o,
  /// The request is taken.
  input  logic                   wr_ready_i,
  /// Byte address of the burst.
  output logic [39:0]            wr_address_o,
  /// Beats of the burst.
  output logic [4:0]             wr_beats_o,
  /// A beat is offered.
  output logic                   wr_data_valid_o,
  /// The beat is taken.
  input  logic                   wr_data_ready_i,
  /// The beat.
  output logic [8*BeatBytes-1:0] wr_data_o,
  /// Its bytes that are written.
  output logic [BeatBytes-1:0]   wr_strobe_o,
  /// A burst is answered, a pulse.
  input  logic                   wr_done_i,
  /// No slot is being emitted.
  output logic                   emit_idle_o,
  /// Nothing is on its way.
  output logic                   idle_o
);
  localparam int unsigned Words     = BeatBytes / 4;
  localparam int unsigned WordBits  = $clog2(Words);
  localparam int unsigned KeyDepth  = 32;
  localparam int unsigned CountBits = $clog2(KeyDepth + 1);

  // ---- keys to the heaps, and every logit to memory ----------------------------------------------
  // A key has its place in the FIFO from the start of its last beat on.
  logic [CountBits-1:0] keys_q;  // keys in the FIFO or on their way to it
  logic                 key_valid, key_ready, key_in, key_fifo_ready;
  logic                 heap_done_q, put_done_q, heap_take, put_take;
  logic [SlotBits-1:0]  key_slot;
  logic [KeyBits-1:0]   key;

  assign room_o = keys_q != CountBits'(KeyDepth);
  assign key_in = begun_i | (screen_valid_i & room_o);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) keys_q <= '0;
    else keys_q <= keys_q + CountBits'(key_in) - CountBits'(key_valid & key_ready);
  end

  tt_fifo #(
    .Width(SlotBits + KeyBits),
    .Depth(KeyDepth)
  ) u_keys (
    .clk_i,
    .rst_ni,
    .valid_i(score_valid_i | (screen_valid_i & room_o)),
    .ready_o(key_fifo_ready),
    .data_i (score_valid_i ? {score_slot_i, score_key_i} : {screen_slot_i, screen_key_i}),
    .valid_o(key_valid),
    .ready_i(key_ready),
    .data_o ({key_slot, key})
  );

  // Both takers, each when it can.
  assign key_ready = (heap_done_q | heap_take) & (put_done_q | put_take | ~with_logits_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      heap_done_q <= 1'b0;
      put_done_q  <= 1'b0;
    end else begin
      heap_done_q <= key_valid & (heap_done_q | heap_take) & ~key_ready;
      put_done_q  <= key_valid & (put_done_q | put_take) & ~key_ready;
    end
  end

  logic               pop_valid, heap_ready, heap_idle;
  logic [KeyBits-1:0] pop_key;

  assign heap_take = key_valid & ~heap_done_q & heap_ready & ~emit_i;

  tt_head_heap #(
    .Slots     (Slots),
    .Candidates(Candidates),
    .KeyBits   (KeyBits),
    .Style     (HeapStyle)
  ) u_heap (
    .clk_i,
    .rst_ni,
    .bank_i       (~screen_i),
    .clear_valid_i,
    .clear_ready_o,
    .clear_slot_i,
    .op_valid_i   (emit_i ? pop_valid : key_valid & ~heap_done_q),
    .op_ready_o   (heap_ready),
    .op_pop_i     (emit_i),
    .op_slot_i    (emit_i ? slot_i : key_slot),
    .op_key_i     (key),
    .op_root_o    (pop_key),
    .root_read_i,
    .root_bank_i  (1'b0),
    .root_slot_i,
    .root_o,
    .root_stale_o,
    .peek_valid_i,
    .peek_ready_o,
    .peek_slot_i  (slot_i),
    .peek_pair_i,
    .peek_left_o,
    .peek_right_o,
    .idle_o       (heap_idle)
  );

  // ---- results and logits to memory --------------------------------------------------------------
  logic                emit_put, emit_flush, put_valid, put_ready, put_flush, pack_idle;
  logic [SlotBits-1:0] put_slot;
  logic [WordBits-1:0] emit_word, put_word;
  logic [KeyBits-1:0]  emit_key, put_key;
  logic [63:0]         put_data;
  logic [31:0]         emit_beat, put_beat, token, logit;
  logic [Words-1:0]    emit_mask, put_mask;

  tt_head_emit #(
    .Candidates(Candidates),
    .BeatBytes (BeatBytes)
  ) u_emit (
    .clk_i,
    .rst_ni,
    .start_i     (next_slot_i),
    .pop_valid_o (pop_valid),
    .pop_ready_i (heap_ready & emit_i),
    .pop_key_i   (pop_key),
    .put_valid_o (emit_put),
    .put_ready_i (put_ready),
    .put_word_o  (emit_word),
    .put_key_o   (emit_key),
    .put_flush_o (emit_flush),
    .put_beat_o  (emit_beat),
    .put_mask_o  (emit_mask),
    .idle_o      (emit_idle_o)
  );

  assign put_key   = emit_i ? emit_key : key;
  assign token     = ~put_key[39:8];
  assign logit     = put_key[7] ? 32'h7fc0_0000 : {1'b0, put_key[70:40]} ^ {32{~put_key[71]}};
  assign put_valid = emit_i ? emit_put : key_valid & with_logits_i & ~put_done_q;
  assign put_take  = put_valid & put_ready & ~emit_i;
  assign put_slot  = emit_i ? slot_i : key_slot;
  assign put_word  = emit_i ? emit_word : token[WordBits-1:0];
  assign put_data  = {logit, emit_i ? token : logit};
  assign put_beat  = emit_i ? emit_beat : token >> WordBits;
  assign put_flush = emit_i ? emit_flush
                             : token[WordBits-1:0] == '1 || token + 32'd1 == vocab_i;
  assign put_mask  = emit_i ? emit_mask : ~({{(Words-1){1'b1}}, 1'b0} << token[WordBits-1:0]);

  tt_head_pack #(
    .Slots    (Slots),
    .BeatBytes(BeatBytes)
  ) u_pack (
    .clk_i,
    .rst_ni,
    .base_i      (emit_i ? results_i : logits_i),
    .area_beats_i(emit_i ? 32'(Candidates * 8 / BeatBytes) : logit_beats_i),
    .put_valid_i (put_valid),
    .put_ready_o (put_ready),
    .put_slot_i  (put_slot),
    .put_word_i  (put_word),
    .put_pair_i  (emit_i),
    .put_data_i  (put_data),
    .put_flush_i (put_flush),
    .put_beat_i  (put_beat),
    .put_mask_i  (put_mask),
    .wr_valid_o,
    .wr_ready_i,
    .wr_address_o,
    .wr_beats_o,
    .wr_data_valid_o,
    .wr_data_ready_i,
    .wr_data_o,
    .wr_strobe_o,
    .wr_done_i,
    .idle_o      (pack_idle)
  );

  assign idle_o = emit_idle_o & pack_idle & heap_idle & (keys_q == '0);

  logic unused;
  assign unused = ^{key_fifo_ready, put_key[6:0]};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!score_valid_i || key_fifo_ready);
    end
  end
`endif
endmodule

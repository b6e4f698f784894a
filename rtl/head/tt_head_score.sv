/// Scores rows exactly: those of the candidates, slot by slot, or all rows for all slots.
module tt_head_score #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Keys of a heap.
  parameter int unsigned Candidates = 256,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Bits of an address of the inputs.
  parameter int unsigned AddressBits = 10,
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Bits of a word number in a heap.
  localparam int unsigned PairBits = $clog2(Candidates) - 1,
  /// Bits of a number of a word of 32 bits in a beat.
  localparam int unsigned WordBits = $clog2(BeatBytes) - 2
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: nothing to score.
  input  logic                   rst_ni,
  /// All rows for all slots; constant.
  input  logic                   all_i,
  /// Starts all rows.
  input  logic                   launch_i,
  /// Starts the candidates of a slot; only while walk_idle_o is high.
  input  logic                   next_slot_i,
  /// That slot, from the next cycle on.
  input  logic [SlotBits-1:0]    slot_i,
  /// Slots that want candidates; constant.
  input  logic [Slots-1:0]       heads_i,
  /// Rows; constant.
  input  logic [31:0]            vocab_i,
  /// Address of row 0; constant.
  input  logic [39:0]            address_i,
  /// Beats of a row; constant.
  input  logic [15:0]            row_beats_i,
  /// Words of an input; constant.
  input  logic [15:0]            input_words_i,
  /// Word of 32 bits of a row's last beat that holds its step; constant.
  input  logic [WordBits-1:0]    step_word_i,
  /// Step of the input of each slot; constant.
  input  logic [32*Slots-1:0]    step_x_i,
  /// Reads a word of the slot's heap, and its root; holds until ready.
  output logic                   peek_valid_o,
  /// The word is there in the next cycle.
  input  logic                   peek_ready_i,
  /// Word to read.
  output logic [PairBits-1:0]    peek_pair_o,
  /// Left half of the word: product, inverted token.
  input  logic [71:0]            peek_left_i,
  /// Right half.
  input  logic [71:0]            peek_right_i,
  /// The root.
  input  logic [71:0]            peek_root_i,
  /// A row is requested.
  output logic                   start_valid_o,
  /// The request can be taken.
  input  logic                   start_ready_i,
  /// Its first byte.
  output logic [39:0]            start_address_o,
  /// A beat is offered.
  input  logic                   beat_valid_i,
  /// The beat is taken at the end of this cycle.
  output logic                   beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0] beat_data_i,
  /// Reads a word of the inputs.
  output logic                   q_read_o,
  /// Word to read.
  output logic [AddressBits-1:0] q_address_o,
  /// That word, one cycle later.
  input  logic [8*BeatBytes-1:0] q_data_i,
  /// There is a place for one more key.
  input  logic                   room_i,
  /// The place is claimed.
  output logic                   begun_o,
  /// A key, a pulse.
  output logic                   key_valid_o,
  /// Its slot.
  output logic [SlotBits-1:0]    key_slot_o,
  /// The key.
  output logic [71:0]            key_o,
  /// All rows of the slot are requested.
  output logic                   walk_idle_o,
  /// Every row that was requested or launched has been begun.
  output logic                   idle_o
);
  logic                walk_valid, walk_ready, queue_ready, queue_valid, queue_take;
  logic                row_ready, row_valid;
  logic [31:0]         walk_token, queue_token, row_token;
  logic [SlotBits-1:0] queue_slot;
  logic [15:0]         queued_q;  // rows requested and not begun

  tt_head_walk #(
    .Candidates(Candidates),
    .BeatBytes (BeatBytes)
  ) u_walk (
    .clk_i,
    .rst_ni,
    .start_i        (next_slot_i),
    .address_i,
    .row_beats_i,
    .peek_valid_o,
    .peek_ready_i,
    .peek_pair_o,
    .left_i         ({peek_left_i[71:32] != '0, peek_left_i[31:0]}),
    .right_i        ({peek_right_i[71:32] != '0, peek_right_i[31:0]}),
    .root_i         ({peek_root_i[71:32] != '0, peek_root_i[31:0]}),
    .start_valid_o  (walk_valid),
    .start_ready_i  (walk_ready),
    .start_address_o,
    .start_token_o  (walk_token),
    .idle_o         (walk_idle_o)
  );

  // A row is requested and queued in the same cycle.
  assign walk_ready    = start_ready_i & queue_ready;
  assign start_valid_o = walk_valid & queue_ready;
  assign queue_take    = row_ready & ~all_i;

  tt_fifo #(
    .Width(SlotBits + 32),
    .Depth(32)
  ) u_queue (
    .clk_i,
    .rst_ni,
    .valid_i(walk_valid & start_ready_i),
    .ready_o(queue_ready),
    .data_i ({slot_i, walk_token}),
    .valid_o(queue_valid),
    .ready_i(queue_take),
    .data_o ({queue_slot, queue_token})
  );

  // ---- all rows: tokens in order -----------------------------------------------------------------
  logic        all_q;
  logic [31:0] token_q;

  assign row_valid = all_i ? all_q : queue_valid;
  assign row_token = all_i ? token_q : queue_token;
  assign idle_o    = walk_idle_o && queued_q == '0 && !all_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      all_q    <= 1'b0;
      token_q  <= '0;
      queued_q <= '0;
    end else begin
      queued_q <= queued_q + 16'(walk_valid & walk_ready) - 16'(queue_take);
      if (launch_i) begin
        all_q   <= 1'b1;
        token_q <= '0;
      end else if (all_i && row_ready) begin
        token_q <= token_q + 1'b1;
        if (token_q + 32'd1 == vocab_i) all_q <= 1'b0;
      end
    end
  end

  // ---- product, logit, key -----------------------------------------------------------------------
  logic                dot_valid;
  logic [31:0]         dot, dot_step, dot_token;
  logic [SlotBits-1:0] dot_slot;

  tt_head_dot #(
    .Slots      (Slots),
    .BeatBytes  (BeatBytes),
    .AddressBits(AddressBits)
  ) u_dot (
    .clk_i,
    .rst_ni,
    .start_i      (launch_i),
    .all_i,
    .heads_i,
    .row_beats_i,
    .input_words_i,
    .step_word_i,
    .row_valid_i  (row_valid),
    .row_ready_o  (row_ready),
    .row_token_i  (row_token),
    .row_slot_i   (queue_slot),
    .beat_valid_i,
    .beat_ready_o,
    .beat_data_i,
    .q_read_o,
    .q_address_o,
    .q_data_i,
    .room_i,
    .begun_o,
    .dot_valid_o  (dot_valid),
    .dot_o        (dot),
    .dot_step_o   (dot_step),
    .dot_token_o  (dot_token),
    .dot_slot_o   (dot_slot)
  );

  tt_head_logit #(
    .Slots(Slots)
  ) u_logit (
    .clk_i,
    .rst_ni,
    .step_x_i,
    .dot_valid_i(dot_valid),
    .dot_i      (dot),
    .dot_step_i (dot_step),
    .dot_token_i(dot_token),
    .dot_slot_i (dot_slot),
    .key_valid_o,
    .key_slot_o,
    .key_o
  );
endmodule

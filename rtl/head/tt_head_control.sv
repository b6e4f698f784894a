/// Takes the head's commands: which heaps are cleared, what is started for all slots at once
/// (launch) or for one after the other (next_slot), and when everything has settled.
module tt_head_control #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Bits of a number of a word of 32 bits in a beat.
  localparam int unsigned WordBits = $clog2(BeatBytes) - 2
) (
  /// Clock.
  input  logic                                   clk_i,
  /// Asynchronous reset, active low: no command.
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
  /// Slots of the pass.
  input  logic [7:0]                             slots_i,
  /// The slots.
  input  logic [tt_card_pkg::SlotBits*Slots-1:0] slot_i,
  /// Slots that want candidates.
  output logic [Slots-1:0]                       heads_o,
  /// Last slot of the pass.
  output logic [SlotBits-1:0]                    last_slot_o,
  /// Beats of a head row.
  output logic [15:0]                            row_beats_o,
  /// Words of an input.
  output logic [15:0]                            input_words_o,
  /// Word of 32 bits of a row's last beat that holds its step.
  output logic [WordBits-1:0]                    step_word_o,
  /// Beats of all rows.
  output logic [31:0]                            all_beats_o,
  /// Beats of a slot's logits.
  output logic [31:0]                            logit_beats_o,
  /// The command is a screen.
  output logic                                   screen_o,
  /// The command is a score.
  output logic                                   score_o,
  /// The command is a score_all.
  output logic                                   score_all_o,
  /// The command is an emit.
  output logic                                   emit_o,
  /// It writes every logit.
  output logic                                   logits_o,
  /// Address of rows or row weights.
  output logic [39:0]                            address_o,
  /// First token of a screen.
  output logic [31:0]                            first_token_o,
  /// Rows of a screen.
  output logic [31:0]                            rows_o,
  /// Slot to clear or to start.
  output logic [SlotBits-1:0]                    slot_o,
  /// The heap of that slot is to be cleared.
  output logic                                   clear_valid_o,
  /// It is cleared.
  input  logic                                   clear_ready_i,
  /// Starts what works for all slots.
  output logic                                   launch_o,
  /// Starts what works for one slot.
  output logic                                   next_slot_o,
  /// The last slot's work is handed over: the next one may start.
  input  logic                                   slot_idle_i,
  /// Nothing is on its way.
  input  logic                                   steady_i
);
  typedef enum logic [2:0] {
    Idle,
    Prepare,
    Clear,
    Launch,
    Run,
    Done
  } state_e;

  state_e           state_q;
  logic [Slots-1:0] heads, heads_q, rest_q, rest;
  logic [7:0]       opcode_q;
  logic             flag_q, take, any, clears;
  logic [16:0]      row_end;  // a row's elements with its step, in words of 32 bits

  tt_command_pkg::screen_t    screen;
  tt_command_pkg::score_all_t score_all;

  assign screen      = cmd_i;
  assign score_all   = cmd_i;
  assign take        = cmd_valid_i & cmd_ready_o;
  assign cmd_ready_o = state_q == Idle;
  assign busy_o      = state_q != Idle;
  assign done_o      = state_q == Done;
  assign screen_o    = opcode_q == tt_command_pkg::OpScreen;
  assign score_o     = opcode_q == tt_command_pkg::OpScore;
  assign score_all_o = opcode_q == tt_command_pkg::OpScoreAll;
  assign emit_o      = opcode_q == tt_command_pkg::OpEmit;
  assign logits_o    = score_all_o & flag_q;

  always_ff @(posedge clk_i) begin
    if (take) begin
      opcode_q      <= screen.opcode;
      flag_q        <= screen.first;  // of score_all: logits
      // A screen has its address two words behind the others'.
      address_o     <= screen.opcode == tt_command_pkg::OpScreen ? screen.weights
                                                                 : score_all.address;
      first_token_o <= screen.first_token;
      rows_o        <= screen.rows;
    end
  end

  // ---- what follows from model and slots ---------------------------------------------------------
  localparam int unsigned Words = BeatBytes / 4;

  for (genvar s = 0; s < Slots; s++) begin : gen_heads
    tt_card_pkg::slot_t info;
    assign info     = slot_i[tt_card_pkg::SlotBits*s +: tt_card_pkg::SlotBits];
    assign heads[s] = info.head & (8'(s) < slots_i);

    logic unused;
    assign unused = ^info;
  end

  assign row_end = 17'((32'(model_i.hidden) + 32'd3) / 32'd4);
  assign heads_o = heads_q;

  always_ff @(posedge clk_i) begin
    if (take) begin
      heads_q       <= heads;
      last_slot_o   <= SlotBits'(slots_i - 8'd1);
      row_beats_o   <= 16'((32'(row_end) + Words) / Words);
      input_words_o <= 16'((32'(model_i.hidden) + BeatBytes - 1) / BeatBytes);
      step_word_o   <= row_end[WordBits-1:0];
      logit_beats_o <= (model_i.vocab + Words - 1) / Words;
    end
    if (state_q == Prepare) all_beats_o <= model_i.vocab * 32'(row_beats_o);
  end

  // ---- order -------------------------------------------------------------------------------------
  assign any           = heads_q != '0;
  assign clears        = score_o | score_all_o | (screen_o & flag_q);
  assign rest          = rest_q & (rest_q - 1'b1);
  assign clear_valid_o = state_q == Clear;
  assign launch_o      = state_q == Launch & (screen_o | (score_all_o & any));
  assign next_slot_o   = state_q == Run & (score_o | emit_o) & (rest_q != '0) & slot_idle_i;

  always_comb begin
    slot_o = '0;
    for (int unsigned s = Slots; s > 0; s--) begin
      if (rest_q[s-1]) slot_o = SlotBits'(s - 1);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      rest_q  <= '0;
    end else begin
      unique case (state_q)
        Idle: if (take) state_q <= Prepare;
        Prepare: begin
          rest_q  <= heads_q;
          state_q <= clears && any ? Clear : Launch;
        end
        Clear: begin
          if (clear_ready_i) begin
            rest_q <= rest;
            if (rest == '0) state_q <= Launch;
          end
        end
        Launch: begin
          rest_q  <= score_o || emit_o ? heads_q : '0;
          state_q <= Run;
        end
        Run: begin
          if (next_slot_o) rest_q <= rest;
          if (rest_q == '0 && steady_i) state_q <= Done;
        end
        default: state_q <= Idle;
      endcase
    end
  end

  logic unused;
  assign unused = ^{screen, score_all, model_i};
endmodule

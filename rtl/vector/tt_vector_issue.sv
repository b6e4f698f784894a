/// Lets the words of a pass into the lanes: in the order of tt_vector_walk, each when what it needs
/// is there and what it becomes has room, for the lanes cannot stop.
module tt_vector_issue #(
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Columns of a block of buffer A.
  parameter int unsigned BlockColumns = 45,
  /// Maxima that may wait for their scale.
  parameter int unsigned Waiting = 16,
  /// Words that may wait for the KV writer.
  parameter int unsigned CacheWords = 64
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: idle, no sums.
  input  logic rst_ni,
  /// A pass begins; only while idle.
  input  logic start_i,
  /// What it does; constant from start_i until its last word has left the lanes.
  input  tt_vector_pkg::pass_t pass_i,
  /// Its way; constant likewise.
  input  tt_vector_pkg::walk_t walk_i,
  /// Slots of the pass, at least 1.
  input  logic [7:0] slots_i,
  /// A word of sums is offered.
  input  logic sums_valid_i,
  /// It is taken; depends on registers alone.
  output logic sums_ready_o,
  /// The sums.
  input  logic [24*Lanes-1:0] sums_data_i,
  /// A scale is there, for one cycle.
  input  logic scale_done_i,
  /// A word has left for the KV writer.
  input  logic cache_taken_i,
  /// A word enters the lanes.
  output logic valid_o,
  /// The word.
  output tt_vector_pkg::word_t word_o,
  /// Its sums, one cycle later.
  output logic [24*Lanes-1:0] sums_o,
  /// All words for the KV writer have left.
  output logic cache_empty_o,
  /// No pass, or its last word has entered.
  output logic idle_o
);
  localparam int unsigned RoomBits = $clog2(CacheWords + 1);
  // A partial sum is read again after 64 / Lanes words; it takes this many cycles.
  localparam bit          Paced    = 64 / Lanes < tt_float_pkg::AddLatency + 3;

  // ---- sums -------------------------------------------------------------------------------------
  logic                sums_valid, sums_take;
  logic [24*Lanes-1:0] sums;
  logic [4:0]          held_q;

  tt_fifo #(
    .Width(24 * Lanes),
    .Depth(16)
  ) u_sums (
    .clk_i,
    .rst_ni,
    .valid_i(sums_valid_i),
    .ready_o(sums_ready_o),
    .data_i (sums_data_i),
    .valid_o(sums_valid),
    .ready_i(sums_take),
    .data_o (sums)
  );

  always_ff @(posedge clk_i) begin
    if (sums_take) sums_o <= sums;
  end

  // ---- the way ----------------------------------------------------------------------------------
  logic  walk_valid, step;
  tt_vector_pkg::word_t word;

  tt_vector_walk #(
    .Rows        (Rows),
    .Lanes       (Lanes),
    .BlockColumns(BlockColumns)
  ) u_walk (
    .clk_i,
    .rst_ni,
    .start_i,
    .walk_i,
    .slots_i,
    .valid_o(walk_valid),
    .word_o (word),
    .step_i (step),
    .idle_o
  );

  // ---- may it enter -----------------------------------------------------------------------------
  logic                phase_q;
  logic [15:0]         scales_q;   // scales of the command that are there
  logic [7:0]          waiting_q;  // groups begun whose scale is not there
  logic [RoomBits-1:0] room_q;
  logic                norm, from_sums, pair_ok, sums_ok, scale_ok, maximum_ok, cache_ok;
  logic                pace_ok, begins;

  assign norm      = pass_i.scalar == tt_vector_pkg::ByWeight;
  assign from_sums = pass_i.source == tt_vector_pkg::FromSums;
  // Both words of a pair follow each other, the first in an even cycle.
  assign pair_ok    = ~pass_i.gate | word.second | (~phase_q & held_q >= 5'd2);
  assign sums_ok    = ~from_sums | (sums_valid & pair_ok);
  assign scale_ok   = ~pass_i.quantise | word.group < scales_q;
  assign begins     = pass_i.maximum & word.begins;
  assign maximum_ok = ~begins | waiting_q != 8'(Waiting);
  assign cache_ok   = pass_i.sink != tt_vector_pkg::ToCache | room_q != '0;
  assign pace_ok    = ~Paced | ~pass_i.square | pass_i.gate | ~phase_q;

  assign step      = walk_valid & sums_ok & scale_ok & maximum_ok & cache_ok & pace_ok;
  assign sums_take = step & from_sums;
  // Sums of rows that only fill the last tile end here.
  assign valid_o   = step & ~(from_sums & word.beyond);
  assign word_o    = word;

  logic cache_enter;
  assign cache_enter   = valid_o & (pass_i.sink == tt_vector_pkg::ToCache);
  assign cache_empty_o = room_q == RoomBits'(CacheWords);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      phase_q   <= 1'b0;
      held_q    <= '0;
      scales_q  <= '0;
      waiting_q <= '0;
      room_q    <= RoomBits'(CacheWords);
    end else begin
      phase_q   <= ~phase_q;
      held_q    <= held_q + 5'(sums_valid_i & sums_ready_o) - 5'(sums_take);
      scales_q  <= start_i && (pass_i.maximum || norm) ? '0 : scales_q + 16'(scale_done_i);
      waiting_q <= waiting_q + 8'(valid_o & begins) - 8'(scale_done_i && !norm);
      room_q    <= room_q + RoomBits'(cache_taken_i) - RoomBits'(cache_enter);
    end
  end

  logic unused;
  assign unused = ^pass_i;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      // Nothing comes between the words of a pair.
      assert (!walk_valid || !word.second || step);
    end
  end
`endif
endmodule

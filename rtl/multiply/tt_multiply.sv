/// The multiply unit: panels of ternary weights times the activations of buffer A.
///
/// A multiply command starts its weight stream at once; the activations are read from buffer A as
/// the TLMM asks for them and their blocks are there, and its results leave as a stream of words of Lanes sums, a slot at a
/// time, to the vector unit or to the head. Several panels may be in flight, and the weight streams
/// of consecutive panels follow each other without a gap.
module tt_multiply #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of three weights of a row, a multiple of 5.
  parameter int unsigned Groups = 15,
  /// How products are made: 0 by table lookup, 1 by selecting activations.
  parameter int unsigned Engine = 0,
  /// What the engine adds up in DSP blocks: 0 nothing, 1 tables and trees, 2 the partial sums too.
  parameter int unsigned DspSums = 0,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 2048,
  /// Sums of a word that leaves, a power of two.
  parameter int unsigned Lanes = 8,
  /// Blocks of columns that buffer A holds.
  parameter int unsigned ActBlocks = 192,
  /// `ram_style` of buffer A.
  parameter              ActStyle = "block",
  /// Beats of weights that are requested ahead, a power of two.
  parameter int unsigned Ahead = 128,
  /// Bits of an address of buffer A.
  localparam int unsigned ActBits = $clog2(ActBlocks * Slots)
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no command, nothing in flight. Reset the memory with it.
  input  logic                   rst_ni,
  /// Slots of the pass, 1..Slots; constant during it.
  input  logic [7:0]             slots_i,
  /// A multiply command is offered.
  input  logic                   cmd_valid_i,
  /// The command is taken; depends on registers alone.
  output logic                   cmd_ready_o,
  /// The command: tt_command_pkg::multiply_t, checked.
  input  logic [511:0]           cmd_i,
  /// A pulse for each command: all its activations have been read from buffer A.
  output logic                   done_o,
  /// A command or its sums are here.
  output logic                   busy_o,

  /// Weights: a burst is requested.
  output logic                   rd_valid_o,
  /// Weights: the request is taken.
  input  logic                   rd_ready_i,
  /// Weights: byte address of the burst.
  output logic [39:0]            rd_address_o,
  /// Weights: beats of the burst, 1..16.
  output logic [4:0]             rd_beats_o,
  /// Weights: a beat comes.
  input  logic                   rd_data_valid_i,
  /// Weights: the beat.
  input  logic [8*BeatBytes-1:0] rd_data_i,

  /// Buffer A: a word is written.
  input  logic                   a_write_i,
  /// Buffer A: word block * Slots + slot.
  input  logic [ActBits-1:0]     a_address_i,
  /// Buffer A: column c, int8, in bits 8c+7..8c; columns past K are zero.
  input  logic [24*Groups-1:0]   a_data_i,
  /// Buffer A: blocks that may be read.
  input  logic [15:0]            a_blocks_i,

  /// Sums for the vector unit.
  output logic                   vsums_valid_o,
  /// Sums for the vector unit: taken.
  input  logic                   vsums_ready_i,
  /// Sums for the vector unit: of Lanes rows, 24 bits each.
  output logic [24*Lanes-1:0]    vsums_data_o,
  /// Sums for the vector unit: their slot.
  output logic [7:0]             vsums_slot_o,
  /// Sums for the vector unit: the last of a panel.
  output logic                   vsums_last_o,
  /// Sums for the head.
  output logic                   hsums_valid_o,
  /// Sums for the head: taken.
  input  logic                   hsums_ready_i,
  /// Sums for the head: of Lanes rows, 24 bits each.
  output logic [24*Lanes-1:0]    hsums_data_o,
  /// Sums for the head: their slot.
  output logic [7:0]             hsums_slot_o,
  /// Sums for the head: the last of a panel.
  output logic                   hsums_last_o,

  /// A beat of weights is consumed in this cycle.
  output logic                   issue_o,
  /// Why none is, while a panel waits for one.
  output tt_pkg::lost_t          lost_o
);
  localparam int unsigned AccBits   = 24;
  localparam int unsigned TileSlots = Slots < 4 ? Slots : 4;

  // ---- commands --------------------------------------------------------------------------------
  tt_command_pkg::multiply_t command;
  tt_pkg::job_t              job;
  logic                      take, weights_ready, feeder_ready, tlmm_ready, transposer_ready;

  assign command     = cmd_i;
  assign job.tiles   = command.tiles[15:0];
  assign job.blocks  = command.blocks[15:0];
  assign job.slots   = slots_i;
  assign cmd_ready_o = weights_ready & feeder_ready & tlmm_ready & transposer_ready;
  assign take        = cmd_valid_i & cmd_ready_o;

  // ---- weights ---------------------------------------------------------------------------------
  logic                   stream_valid, stream_next, start_valid_q, start_ready;
  logic                   beat_valid, beat_ready;
  logic [39:0]            stream_address, start_address_q;
  logic [15:0]            stream_tiles, stream_blocks;
  logic [31:0]            start_beats_q;
  logic [8*BeatBytes-1:0] beat_data;

  tt_fifo #(.Width(72), .Depth(4)) u_streams (
    .clk_i,
    .rst_ni,
    .valid_i(take),
    .ready_o(weights_ready),
    .data_i ({command.address, job.tiles, job.blocks}),
    .valid_o(stream_valid),
    .ready_i(stream_next),
    .data_o ({stream_address, stream_tiles, stream_blocks})
  );
  assign stream_next = ~start_valid_q | start_ready;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) start_valid_q <= 1'b0;
    else if (stream_next) start_valid_q <= stream_valid;
  end

  always_ff @(posedge clk_i) begin
    if (stream_valid && stream_next) begin
      start_address_q <= stream_address;
      start_beats_q   <= 32'(stream_tiles) * 32'(stream_blocks);
    end
  end

  tt_beat_reader #(
    .BeatBytes(BeatBytes),
    .FifoDepth(Ahead),
    .RamStyle ("block")
  ) u_reader (
    .clk_i,
    .rst_ni,
    .start_valid_i  (start_valid_q),
    .start_ready_o  (start_ready),
    .start_address_i(start_address_q),
    .start_beats_i  (start_beats_q),
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

  // ---- activations -----------------------------------------------------------------------------
  logic                 act_valid, act_ready, feeder_busy;
  logic [24*Groups-1:0] act_data;

  tt_activation_feeder #(
    .Slots    (Slots),
    .Groups   (Groups),
    .ActBlocks(ActBlocks),
    .ActStyle (ActStyle)
  ) u_feeder (
    .clk_i,
    .rst_ni,
    .write_i        (a_write_i),
    .write_address_i(a_address_i),
    .write_data_i   (a_data_i),
    .blocks_i       (a_blocks_i),
    .job_valid_i    (take),
    .job_ready_o    (feeder_ready),
    .job_blocks_i   (job.blocks),
    .job_slots_i    (job.slots),
    .act_valid_o    (act_valid),
    .act_ready_i    (act_ready),
    .act_data_o     (act_data),
    .done_o,
    .busy_o         (feeder_busy)
  );

  // ---- TLMM ------------------------------------------------------------------------------------
  logic                              res_valid, res_ready, res_last, tlmm_busy;
  logic [AccBits*Rows*TileSlots-1:0] res_data;

  tt_tlmm #(
    .Slots     (Slots),
    .Rows      (Rows),
    .Groups    (Groups),
    .BeatBytes (BeatBytes),
    .PanelTiles(PanelTiles),
    .AccBits   (AccBits),
    .Engine    (Engine),
    .DspSums   (DspSums)
  ) u_tlmm (
    .clk_i,
    .rst_ni,
    .job_valid_i (take),
    .job_ready_o (tlmm_ready),
    .job_i       (job),
    .beat_valid_i(beat_valid),
    .beat_ready_o(beat_ready),
    .beat_data_i (beat_data),
    .act_valid_i (act_valid),
    .act_ready_o (act_ready),
    .act_data_i  (act_data),
    .res_valid_o (res_valid),
    .res_ready_i (res_ready),
    .res_data_o  (res_data),
    .res_last_o  (res_last),
    .busy_o      (tlmm_busy),
    .issue_o,
    .lost_o
  );

  // ---- sums ------------------------------------------------------------------------------------
  logic                     sums_valid, to_head, transposer_busy;
  logic [AccBits*Lanes-1:0] sums_data;
  logic [7:0]               sums_slot;
  logic                     sums_last;

  tt_transposer #(
    .Slots  (Slots),
    .Rows   (Rows),
    .Lanes  (Lanes),
    .AccBits(AccBits)
  ) u_transposer (
    .clk_i,
    .rst_ni,
    .job_valid_i     (take),
    .job_ready_o     (transposer_ready),
    .job_slots_i     (slots_i),
    .job_two_planes_i(command.two_planes),
    .job_to_head_i   (command.to_head),
    .res_valid_i     (res_valid),
    .res_ready_o     (res_ready),
    .res_data_i      (res_data),
    .res_last_i      (res_last),
    .sums_valid_o    (sums_valid),
    .sums_ready_i    (to_head ? hsums_ready_i : vsums_ready_i),
    .sums_data_o     (sums_data),
    .sums_slot_o     (sums_slot),
    .sums_last_o     (sums_last),
    .sums_to_head_o  (to_head),
    .busy_o          (transposer_busy)
  );

  assign vsums_valid_o = sums_valid & ~to_head;
  assign vsums_data_o  = sums_data;
  assign vsums_slot_o  = sums_slot;
  assign vsums_last_o  = sums_last;
  assign hsums_valid_o = sums_valid & to_head;
  assign hsums_data_o  = sums_data;
  assign hsums_slot_o  = sums_slot;
  assign hsums_last_o  = sums_last;

  assign busy_o = tlmm_busy | feeder_busy | transposer_busy;

  logic unused;
  assign unused = ^{command.reserved2, command.reserved1, command.reserved0, command.waits,
                    command.opcode, command.follows, command.tiles[31:16],
                    command.blocks[31:16]};
endmodule

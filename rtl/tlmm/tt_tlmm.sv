/// The datapath of the engine: ternary weights times int8 activations, by table lookup or without.
///
/// A beat of weights a cycle, whatever the number of slots. docs/engine.md has the order of the
/// streams and the code of the weights. A beat is consumed in cycle 0, its sums over the columns
/// come in cycle SumsCycle, and its partial sums are back in memory two cycles later.
module tt_tlmm #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of a row, a multiple of 5.
  parameter int unsigned Groups = 15,
  /// Bytes of a beat, at least Rows * 3 * Groups / 5.
  parameter int unsigned BeatBytes = 64,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 2048,
  /// Bits of a partial sum.
  parameter int unsigned AccBits = 24,
  /// How products are made: tt_pkg::EngineTable or EngineSelect.
  parameter int unsigned Engine = 0,
  /// What adds up in DSP blocks: 0 nothing, 1 tables and trees, 2 the partial sums as well.
  parameter int unsigned DspSums = 0,
  /// Slots of a result word.
  localparam int unsigned Lanes = Slots < 4 ? Slots : 4
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low: no job, nothing on its way.
  input  logic                          rst_ni,
  /// A job is offered.
  input  logic                          job_valid_i,
  /// Fewer than four jobs are not drained; depends on registers alone.
  output logic                          job_ready_o,
  /// Tiles 1..PanelTiles, blocks, slots 1..Slots.
  input  tt_pkg::job_t                  job_i,
  /// A beat of weights is offered.
  input  logic                          beat_valid_i,
  /// The beat is consumed; depends on registers alone.
  output logic                          beat_ready_o,
  /// Row i from byte i * 3 * Groups / 5.
  input  logic [8*BeatBytes-1:0]        beat_data_i,
  /// The activations of a slot for a block are offered.
  input  logic                          act_valid_i,
  /// They are taken; depends on registers alone.
  output logic                          act_ready_o,
  /// Activation of column c, int8, in bits 8c+7..8c.
  input  logic [24*Groups-1:0]          act_data_i,
  /// A result word is offered.
  output logic                          res_valid_o,
  /// The word is taken.
  input  logic                          res_ready_i,
  /// Sum i of lane l at index l * Rows + i.
  output logic [AccBits*Rows*Lanes-1:0] res_data_o,
  /// The word is the last of its job.
  output logic                          res_last_o,
  /// A job or a result is in the engine.
  output logic                          busy_o,
  /// A beat is consumed in this cycle.
  output logic                          issue_o,
  /// Why none is, while a job waits for one.
  output tt_pkg::lost_t                 lost_o
);
  localparam bit          Select    = Engine == tt_pkg::EngineSelect;
  localparam int unsigned RowBytes  = 3 * Groups / 5;
  localparam int unsigned TileBits  = PanelTiles > 1 ? $clog2(PanelTiles) : 1;
  localparam int unsigned Levels    = Select ? $clog2(3 * Groups) : $clog2(Groups);
  localparam int unsigned SumBits   = Levels + (Select ? 8 : 10);
  // The cycle in which the sums of a beat are there, and that in which their old sums are fetched.
  localparam int unsigned SumsCycle = DspSums != 0 ? (Groups + 2) / 3 + 4 : Levels + 2;
  localparam int unsigned ReadCycle = DspSums == 2 ? SumsCycle - 1 : SumsCycle - 2;
  localparam int unsigned JobBits   = tt_pkg::JobBits;

  if (Slots < 1 || Slots > 64) begin : gen_bad_slots
    $fatal(1, "tt_tlmm: Slots must be 1..64");
  end
  if (Engine > 1 || DspSums > 2 || (Select && DspSums != 0)) begin : gen_bad_engine
    $fatal(1, "tt_tlmm: Engine must be 0 or 1, DspSums 0..2, and 0 without tables");
  end
  if (DspSums != 0 && Groups > 32) begin : gen_bad_chain
    $fatal(1, "tt_tlmm: a chain of DSP blocks adds at most 32 groups");
  end
  if (Rows < 1 || Groups < 5 || Groups % 5 != 0) begin : gen_bad_groups
    $fatal(1, "tt_tlmm: Groups must be a multiple of 5, Rows at least 1");
  end
  if (Rows * RowBytes > BeatBytes) begin : gen_bad_beat
    $fatal(1, "tt_tlmm: a tile must fit a beat");
  end
  if (PanelTiles < 1 || PanelTiles > 65535 || AccBits < SumBits + 1) begin : gen_bad_sums
    $fatal(1, "tt_tlmm: PanelTiles must be 1..65535, AccBits more than the bits of a beat's sum");
  end

  // ---- jobs ------------------------------------------------------------------------------------
  localparam int unsigned Take   = 0;
  localparam int unsigned Lookup = 1;
  localparam int unsigned Drain  = 2;
  logic [2:0]           stage_valid, stage_next;
  logic [3*JobBits-1:0] stage_jobs;
  tt_pkg::job_t         take_job, lookup_job, drain_job;

  tt_job_queue #(.Depth(4), .Stages(3)) u_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(job_valid_i),
    .ready_o(job_ready_o),
    .job_i,
    .valid_o(stage_valid),
    .jobs_o (stage_jobs),
    .next_i (stage_next)
  );
  assign take_job   = stage_jobs[JobBits*Take +: JobBits];
  assign lookup_job = stage_jobs[JobBits*Lookup +: JobBits];
  assign drain_job  = stage_jobs[JobBits*Drain +: JobBits];

  // ---- cycle 0: consume and decode -------------------------------------------------------------
  logic                     leave, bank, first, last;
  logic [1:0]               bank_ready, bank_free;
  logic [TileBits:0]        address;
  logic [4*Groups*Rows-1:0] index, index_q;
  logic [Groups*Rows-1:0]   sign, sign_q;

  tt_lookup_control #(.TileBits(TileBits)) u_control (
    .clk_i,
    .rst_ni,
    .job_valid_i (stage_valid[Lookup]),
    .job_tiles_i (lookup_job.tiles),
    .job_blocks_i(lookup_job.blocks),
    .job_next_o  (stage_next[Lookup]),
    .bank_ready_i(bank_ready),
    .bank_free_o (bank_free),
    .beat_valid_i,
    .beat_ready_o,
    .leave_i     (leave),
    .drained_i   (stage_next[Drain]),
    .issue_o,
    .bank_o      (bank),
    .address_o   (address),
    .first_o     (first),
    .last_o      (last),
    .lost_o
  );

  for (genvar r = 0; r < Rows; r++) begin : gen_decode_row
    for (genvar u = 0; u < Groups / 5; u++) begin : gen_unit
      tt_trit_decoder u_decoder (
        .unit_i (beat_data_i[8*(RowBytes*r+3*u) +: 24]),
        .index_o(index[4*(Groups*r+5*u) +: 20]),
        .sign_o (sign[Groups*r+5*u +: 5])
      );
    end
  end

  always_ff @(posedge clk_i) begin
    if (issue_o) begin
      index_q <= index;
      sign_q  <= sign;
    end
  end

  // ---- to SumsCycle: the sums of the beat -----------------------------------------
  logic [SumBits*Rows*Slots-1:0] sums;
  logic [Rows-1:0]               signs;

  if (Engine == tt_pkg::EngineSelect) begin : gen_select
    tt_select_core #(
      .Slots (Slots),
      .Rows  (Rows),
      .Groups(Groups)
    ) u_core (
      .clk_i,
      .rst_ni,
      .job_valid_i (stage_valid[Take]),
      .job_blocks_i(take_job.blocks),
      .job_slots_i (take_job.slots),
      .job_next_o  (stage_next[Take]),
      .act_valid_i,
      .act_ready_o,
      .act_data_i,
      .bank_ready_o(bank_ready),
      .bank_free_i (bank_free),
      .issue_i     (issue_o),
      .bank_i      (bank),
      .index_i     (index_q),
      .sign_i      (sign_q),
      .sums_o      (sums),
      .signs_o     (signs)
    );
  end else begin : gen_table
    tt_table_core #(
      .Slots  (Slots),
      .Rows   (Rows),
      .Groups (Groups),
      .DspSums(DspSums != 0)
    ) u_core (
      .clk_i,
      .rst_ni,
      .job_valid_i (stage_valid[Take]),
      .job_blocks_i(take_job.blocks),
      .job_slots_i (take_job.slots),
      .job_next_o  (stage_next[Take]),
      .act_valid_i,
      .act_ready_o,
      .act_data_i,
      .bank_ready_o(bank_ready),
      .bank_free_i (bank_free),
      .issue_i     (issue_o),
      .bank_i      (bank),
      .index_i     (index_q),
      .sign_i      (sign_q),
      .sums_o      (sums),
      .signs_o     (signs)
    );
  end

  // ---- cycle ReadCycle: fetch the old sums; cycle SumsCycle: add -------------------------------
  logic [ReadCycle-1:0]          valid_q;
  logic                          sums_first, sums_last, written, drain_ready;
  logic [TileBits:0]             sums_address, drain_address;
  logic [AccBits*Rows*Slots-1:0] drain_data;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[ReadCycle-2:0], issue_o};
  end

  tt_delay #(.Width(TileBits + 3), .Cycles(ReadCycle)) u_delay (
    .clk_i,
    .data_i({address, first, last}),
    .data_o({sums_address, sums_first, sums_last})
  );

  tt_partial_sums #(
    .Slots      (Slots),
    .Rows       (Rows),
    .AccBits    (AccBits),
    .SumBits    (SumBits),
    .AddressBits(TileBits + 1),
    .Offset     (DspSums != 0),
    .DspSums    (DspSums == 2)
  ) u_sums (
    .clk_i,
    .rst_ni,
    .read_i         (valid_q[ReadCycle-1]),
    .first_i        (sums_first),
    .last_i         (sums_last),
    .address_i      (sums_address),
    .sums_i         (sums),
    .signs_i        (signs),
    .written_o      (written),
    .drain_ready_o  (drain_ready),
    .drain_address_i(drain_address),
    .drain_data_o   (drain_data)
  );

  // ---- results ---------------------------------------------------------------------------------
  logic drain_idle;

  tt_drain #(
    .Slots   (Slots),
    .Lanes   (Lanes),
    .Rows    (Rows),
    .AccBits (AccBits),
    .TileBits(TileBits)
  ) u_drain (
    .clk_i,
    .rst_ni,
    .job_tiles_i   (drain_job.tiles),
    .job_slots_i   (drain_job.slots),
    .job_next_o    (stage_next[Drain]),
    .written_i     (written),
    .read_ready_i  (drain_ready),
    .read_address_o(drain_address),
    .read_data_i   (drain_data),
    .leave_o       (leave),
    .res_valid_o,
    .res_ready_i,
    .res_data_o,
    .res_last_o,
    .idle_o        (drain_idle)
  );

  assign busy_o = stage_valid[Drain] | ~drain_idle;

  // Padding at the end of the beat; fields of a job that a stage does not need.
  logic unused;
  assign unused = ^{beat_data_i, take_job.tiles, lookup_job.slots, drain_job.blocks};
endmodule

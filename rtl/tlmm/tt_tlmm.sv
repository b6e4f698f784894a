/// The datapath of the engine: ternary weights times int8 activations by table lookup.
///
/// A beat of weights a cycle, whatever the number of slots. docs/engine.md has the order of the
/// streams and the code of the weights. A beat is decoded in the cycle in which it is consumed
/// (cycle 0), looked up in cycle 1, summed over the groups from cycle 2, and its partial sums are
/// back in memory in cycle $clog2(Groups) + 4.
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
  /// Table builders, and slots of a result word.
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
  localparam int unsigned RowBytes = 3 * Groups / 5;
  localparam int unsigned TileBits = PanelTiles > 1 ? $clog2(PanelTiles) : 1;
  localparam int unsigned Levels   = $clog2(Groups);
  localparam int unsigned SumBits  = 10 + Levels;
  localparam int unsigned Units    = Groups / 5;
  localparam int unsigned Lookups  = Groups * Rows;
  localparam int unsigned JobBits  = tt_pkg::JobBits;

  if (Slots < 1 || Slots > 64) begin : gen_bad_slots
    $fatal(1, "tt_tlmm: Slots must be 1..64");
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
  localparam int unsigned Build  = 0;
  localparam int unsigned Lookup = 1;
  localparam int unsigned Drain  = 2;
  logic [2:0]           stage_valid, stage_next;
  logic [3*JobBits-1:0] stage_jobs;
  tt_pkg::job_t         build_job, lookup_job, drain_job;

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
  assign build_job  = stage_jobs[JobBits*Build +: JobBits];
  assign lookup_job = stage_jobs[JobBits*Lookup +: JobBits];
  assign drain_job  = stage_jobs[JobBits*Drain +: JobBits];

  // ---- tables ----------------------------------------------------------------------------------
  logic [1:0]                 bank_ready, bank_free;
  logic [Slots-1:0]           write;
  logic [5*Lanes-1:0]         write_address;
  logic [10*Groups*Lanes-1:0] write_data;

  tt_table_front #(.Slots(Slots), .Lanes(Lanes), .Groups(Groups)) u_front (
    .clk_i,
    .rst_ni,
    .job_valid_i    (stage_valid[Build]),
    .job_blocks_i   (build_job.blocks),
    .job_slots_i    (build_job.slots),
    .job_next_o     (stage_next[Build]),
    .act_valid_i,
    .act_ready_o,
    .act_data_i,
    .bank_ready_o   (bank_ready),
    .bank_free_i    (bank_free),
    .write_o        (write),
    .write_address_o(write_address),
    .write_data_o   (write_data)
  );

  // ---- cycle 0: consume and decode -------------------------------------------------------------
  logic                 leave, bank, first, last;
  logic [TileBits:0]    address;
  logic [4*Lookups-1:0] index, index_q;
  logic [Lookups-1:0]   sign, sign_q;
  logic                 bank_q;

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
    for (genvar u = 0; u < Units; u++) begin : gen_unit
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
      bank_q  <= bank;
    end
  end

  // ---- cycle 1: look up; from cycle 2: add over the groups -------------------------------------
  logic [(Groups-1)*Rows-1:0]    flip;
  logic [Rows-1:0]               root_sign;
  logic [SumBits*Rows*Slots-1:0] sums;

  for (genvar r = 0; r < Rows; r++) begin : gen_signs
    tt_tree_signs #(.Leaves(Groups)) u_signs (
      .clk_i,
      .sign_i(sign_q[Groups*r +: Groups]),
      .flip_o(flip[(Groups-1)*r +: Groups-1]),
      .sign_o(root_sign[r])
    );
  end

  for (genvar s = 0; s < Slots; s++) begin : gen_slot
    tt_slot #(.Rows(Rows), .Groups(Groups)) u_slot (
      .clk_i,
      .write_i        (write[s]),
      .write_address_i(write_address[5*(s%Lanes) +: 5]),
      .write_data_i   (write_data[10*Groups*(s%Lanes) +: 10*Groups]),
      .bank_i         (bank_q),
      .index_i        (index_q),
      .flip_i         (flip),
      .sums_o         (sums[SumBits*Rows*s +: SumBits*Rows])
    );
  end

  // ---- cycle Levels: fetch the old sums; two cycles later: add ---------------------------------
  logic [Levels-1:0]             valid_q;
  logic                          sums_first, sums_last, written, drain_ready;
  logic [TileBits:0]             sums_address, drain_address;
  logic [AccBits*Rows*Slots-1:0] drain_data;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Levels-2:0], issue_o};
  end

  tt_delay #(.Width(TileBits + 3), .Cycles(Levels)) u_delay (
    .clk_i,
    .data_i({address, first, last}),
    .data_o({sums_address, sums_first, sums_last})
  );

  tt_partial_sums #(
    .Sums       (Rows * Slots),
    .Rows       (Rows),
    .AccBits    (AccBits),
    .SumBits    (SumBits),
    .AddressBits(TileBits + 1)
  ) u_sums (
    .clk_i,
    .rst_ni,
    .read_i         (valid_q[Levels-1]),
    .first_i        (sums_first),
    .last_i         (sums_last),
    .address_i      (sums_address),
    .sums_i         (sums),
    .signs_i        (root_sign),
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
  assign unused = ^{beat_data_i, build_job.tiles, lookup_job.slots, drain_job.blocks};
endmodule

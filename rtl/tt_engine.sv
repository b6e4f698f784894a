/// The TLMM engine: registers, the weight reader and the datapath. docs/engine.md describes it.
///
/// A write to JOB_START hands the job in the registers to the reader and to the datapath. The
/// activations and results of the jobs are streams of their own, in the order of the jobs.
module tt_engine #(
  /// Tokens of a pass, 1..64.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of three weights of a row, a multiple of 5.
  parameter int unsigned Groups = 15,
  /// Bytes of a beat of weights: 8, 16, 32, 64 or 128, at least Rows * 3 * Groups / 5.
  parameter int unsigned BeatBytes = 64,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 2048,
  /// Bits of a partial sum: exact for K up to 2 ** (AccBits - 8) - 1.
  parameter int unsigned AccBits = 24,
  /// How products are made: 0 by table lookup, 1 by selecting activations.
  parameter int unsigned Engine = 0,
  /// What adds up in DSP blocks: 0 nothing, 1 tables and trees, 2 the partial sums as well.
  parameter int unsigned DspSums = 0,
  /// Slots of a result word.
  localparam int unsigned Lanes = Slots < 4 ? Slots : 4
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low. Reset the memory behind m_axi with it.
  input  logic                          rst_ni,

  /// Registers, AXI4-Lite: docs/registers.md.
  input  logic                          s_axil_awvalid_i,
  /// Registers.
  output logic                          s_axil_awready_o,
  /// Registers: byte offset.
  input  logic [11:0]                   s_axil_awaddr_i,
  /// Registers: ignored.
  input  logic [2:0]                    s_axil_awprot_i,
  /// Registers.
  input  logic                          s_axil_wvalid_i,
  /// Registers.
  output logic                          s_axil_wready_o,
  /// Registers.
  input  logic [31:0]                   s_axil_wdata_i,
  /// Registers.
  input  logic [3:0]                    s_axil_wstrb_i,
  /// Registers.
  output logic                          s_axil_bvalid_o,
  /// Registers.
  input  logic                          s_axil_bready_i,
  /// Registers: always OKAY.
  output logic [1:0]                    s_axil_bresp_o,
  /// Registers.
  input  logic                          s_axil_arvalid_i,
  /// Registers.
  output logic                          s_axil_arready_o,
  /// Registers: byte offset.
  input  logic [11:0]                   s_axil_araddr_i,
  /// Registers: ignored.
  input  logic [2:0]                    s_axil_arprot_i,
  /// Registers.
  output logic                          s_axil_rvalid_o,
  /// Registers.
  input  logic                          s_axil_rready_i,
  /// Registers; an offset without a register reads as zero.
  output logic [31:0]                   s_axil_rdata_o,
  /// Registers: always OKAY.
  output logic [1:0]                    s_axil_rresp_o,

  /// Weights, AXI4 read master.
  output logic                          m_axi_arvalid_o,
  /// Weights.
  input  logic                          m_axi_arready_i,
  /// Weights: byte address of the burst.
  output logic [63:0]                   m_axi_araddr_o,
  /// Weights: beats less one, 0..15.
  output logic [7:0]                    m_axi_arlen_o,
  /// Weights: constant, BeatBytes a transfer.
  output logic [2:0]                    m_axi_arsize_o,
  /// Weights: constant, INCR.
  output logic [1:0]                    m_axi_arburst_o,
  /// Weights.
  input  logic                          m_axi_rvalid_i,
  /// Weights: constant, always ready.
  output logic                          m_axi_rready_o,
  /// Weights.
  input  logic [8*BeatBytes-1:0]        m_axi_rdata_i,
  /// Weights: other than OKAY sets STATUS.memory_error.
  input  logic [1:0]                    m_axi_rresp_i,
  /// Weights: not needed.
  input  logic                          m_axi_rlast_i,

  /// Activations: one word for each slot of each block of each job.
  input  logic                          act_valid_i,
  /// Activations; depends on registers alone.
  output logic                          act_ready_o,
  /// Activations: column c, int8, in bits 8c+7..8c.
  input  logic [24*Groups-1:0]          act_data_i,

  /// Results: one word for each Lanes slots of each tile of each job.
  output logic                          res_valid_o,
  /// Results.
  input  logic                          res_ready_i,
  /// Results: row i of lane l at index l * Rows + i.
  output logic [AccBits*Rows*Lanes-1:0] res_data_o,
  /// Results: last word of a job.
  output logic                          res_last_o
);
  localparam int unsigned BlockColumns = 3 * Groups;
  // K * 128 < 2 ** (AccBits - 1), the bound of exact sums of int8.
  localparam int unsigned MaxColumns   = 2 ** (AccBits - 8) - 1;
  localparam int unsigned MaxBlocks    = (MaxColumns + BlockColumns - 1) / BlockColumns;
  localparam int unsigned SizeBits     = $clog2(BeatBytes);

  if (AccBits < 16 || AccBits > 24) begin : gen_bad_sums
    $fatal(1, "tt_engine: AccBits must be 16..24");
  end

  // ---- registers -------------------------------------------------------------------------------
  tt_engine_regs_pkg::tt_engine_regs__in_t  regs_in;
  tt_engine_regs_pkg::tt_engine_regs__out_t regs_out;

  tt_engine_regs u_regs (
    .clk           (clk_i),
    .arst_n        (rst_ni),
    .s_axil_awready(s_axil_awready_o),
    .s_axil_awvalid(s_axil_awvalid_i),
    .s_axil_awaddr (s_axil_awaddr_i),
    .s_axil_awprot (s_axil_awprot_i),
    .s_axil_wready (s_axil_wready_o),
    .s_axil_wvalid (s_axil_wvalid_i),
    .s_axil_wdata  (s_axil_wdata_i),
    .s_axil_wstrb  (s_axil_wstrb_i),
    .s_axil_bready (s_axil_bready_i),
    .s_axil_bvalid (s_axil_bvalid_o),
    .s_axil_bresp  (s_axil_bresp_o),
    .s_axil_arready(s_axil_arready_o),
    .s_axil_arvalid(s_axil_arvalid_i),
    .s_axil_araddr (s_axil_araddr_i),
    .s_axil_arprot (s_axil_arprot_i),
    .s_axil_rready (s_axil_rready_i),
    .s_axil_rvalid (s_axil_rvalid_o),
    .s_axil_rdata  (s_axil_rdata_o),
    .s_axil_rresp  (s_axil_rresp_o),
    .hwif_in       (regs_in),
    .hwif_out      (regs_out)
  );

  // ---- jobs ------------------------------------------------------------------------------------
  logic [31:0]  tiles, blocks, slots;
  logic [63:0]  address;
  logic         start, good, push, queue_ready, reader_queue_ready, job_ready;
  tt_pkg::job_t job;

  assign tiles     = regs_out.JOB_TILES.value.value;
  assign blocks    = regs_out.JOB_BLOCKS.value.value;
  assign slots     = regs_out.JOB_SLOTS.value.value;
  assign address   = {regs_out.JOB_ADDRESS_HI.value.value, regs_out.JOB_ADDRESS_LO.value.value};
  assign start     = regs_out.JOB_START.value.swmod;
  assign good      = tiles != '0 && tiles <= PanelTiles && blocks != '0 && blocks <= MaxBlocks
                     && slots != '0 && slots <= Slots && address[SizeBits-1:0] == '0;
  assign job_ready = queue_ready & reader_queue_ready;
  assign push      = start & good & job_ready;

  assign job.tiles  = tiles[15:0];
  assign job.blocks = blocks[15:0];
  assign job.slots  = slots[7:0];

  // ---- weights ---------------------------------------------------------------------------------
  logic                   reader_job_valid, reader_job_ready, beat_valid, beat_ready, memory_error;
  logic [63:0]            reader_address;
  logic [15:0]            reader_tiles, reader_blocks;
  logic [8*BeatBytes-1:0] beat_data;

  tt_fifo #(.Width(96), .Depth(4)) u_reader_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(push),
    .ready_o(reader_queue_ready),
    .data_i ({address, job.tiles, job.blocks}),
    .valid_o(reader_job_valid),
    .ready_i(reader_job_ready),
    .data_o ({reader_address, reader_tiles, reader_blocks})
  );

  tt_weight_reader #(.BeatBytes(BeatBytes)) u_reader (
    .clk_i,
    .rst_ni,
    .job_valid_i  (reader_job_valid),
    .job_ready_o  (reader_job_ready),
    .job_address_i(reader_address),
    .job_tiles_i  (reader_tiles),
    .job_blocks_i (reader_blocks),
    .m_axi_arvalid_o,
    .m_axi_arready_i,
    .m_axi_araddr_o,
    .m_axi_arlen_o,
    .m_axi_arsize_o,
    .m_axi_arburst_o,
    .m_axi_rvalid_i,
    .m_axi_rready_o,
    .m_axi_rdata_i,
    .m_axi_rresp_i,
    .m_axi_rlast_i,
    .beat_valid_o (beat_valid),
    .beat_ready_i (beat_ready),
    .beat_data_o  (beat_data),
    .error_o      (memory_error)
  );

  // ---- datapath --------------------------------------------------------------------------------
  logic          busy, issue;
  tt_pkg::lost_t lost;

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
    .job_valid_i (push),
    .job_ready_o (queue_ready),
    .job_i       (job),
    .beat_valid_i(beat_valid),
    .beat_ready_o(beat_ready),
    .beat_data_i (beat_data),
    .act_valid_i,
    .act_ready_o,
    .act_data_i,
    .res_valid_o,
    .res_ready_i,
    .res_data_o,
    .res_last_o,
    .busy_o      (busy),
    .issue_o     (issue),
    .lost_o      (lost)
  );

  // ---- state and counters ----------------------------------------------------------------------
  logic clear;
  assign clear = regs_out.CONTROL.clear.value;

  always_comb begin
    regs_in = '0;
    regs_in.GEOMETRY.slots.next            = 8'(Slots);
    regs_in.GEOMETRY.rows.next             = 8'(Rows);
    regs_in.GEOMETRY.groups.next           = 8'(Groups);
    regs_in.GEOMETRY.lanes.next            = 8'(Lanes);
    regs_in.LIMITS.beat_bytes.next         = 16'(BeatBytes);
    regs_in.LIMITS.panel_tiles.next        = 16'(PanelTiles);
    regs_in.STATUS.busy.next               = busy;
    regs_in.STATUS.job_ready.next          = job_ready;
    regs_in.STATUS.memory_error.hwset      = memory_error;
    regs_in.STATUS.memory_error.hwclr      = clear;
    regs_in.STATUS.job_overflow.hwset      = start & good & ~job_ready;
    regs_in.STATUS.job_overflow.hwclr      = clear;
    regs_in.STATUS.bad_job.hwset           = start & ~good;
    regs_in.STATUS.bad_job.hwclr           = clear;
    regs_in.JOBS_DONE.value.incr           = res_valid_o & res_ready_i & res_last_o;
    regs_in.CYCLES.value.incr              = busy;
    regs_in.CYCLES.value.hwclr             = clear;
    regs_in.BEATS.value.incr               = issue;
    regs_in.BEATS.value.hwclr              = clear;
    regs_in.LOST_MEMORY.value.incr         = lost.memory;
    regs_in.LOST_MEMORY.value.hwclr        = clear;
    regs_in.LOST_TABLES.value.incr         = lost.tables;
    regs_in.LOST_TABLES.value.hwclr        = clear;
    regs_in.LOST_DRAIN.value.incr          = lost.drain;
    regs_in.LOST_DRAIN.value.hwclr         = clear;
    regs_in.LOST_RESULTS.value.incr        = lost.results;
    regs_in.LOST_RESULTS.value.hwclr       = clear;
    regs_in.LOST_ORDER.value.incr          = lost.order;
    regs_in.LOST_ORDER.value.hwclr         = clear;
  end
endmodule

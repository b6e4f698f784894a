/// The card: registers, sequencer, six units, memory. docs/card.md describes it.
///
/// The defaults are the card sim-small; cards/ has the values of the others.
module tt_card #(
  /// Token slots of a pass, 1..64.
  parameter int unsigned Slots = 4,
  /// Rows of a tile.
  parameter int unsigned Rows = 5,
  /// Groups of three columns of a block, a multiple of 5.
  parameter int unsigned Groups = 5,
  /// How products are made: 0 by table lookup, 1 by selecting activations.
  parameter int unsigned Engine = 0,
  /// What the engine adds up in DSP blocks: 0 nothing, 1 tables and trees, 2 the partial sums too.
  parameter int unsigned DspSums = 0,
  /// AXI4 memory ports, a power of two.
  parameter int unsigned Ports = 1,
  /// Bytes of a transfer of a port, a power of two.
  parameter int unsigned PortBytes = 16,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 512,
  /// Lanes of the vector unit, a power of two, at most a quarter of a beat.
  parameter int unsigned Lanes = 4,
  /// Positions of a KV page, a power of two.
  parameter int unsigned PageRows = 8,
  /// Scores of attention a cycle; divides Lanes and PageRows.
  parameter int unsigned ScoreLanes = 1,
  /// Words of PageRows scores that attention holds.
  parameter int unsigned ScoreWords = 256,
  /// Words of buffer X: Lanes binary32 each.
  parameter int unsigned ResidualWords = 1024,
  /// Words of buffer Y: Lanes binary32 each.
  parameter int unsigned WorkWords = 2048,
  /// Blocks of columns of buffer A.
  parameter int unsigned ActBlocks = 128,
  /// Words of buffer Q: a beat of int8 each.
  parameter int unsigned QueryWords = 512,
  /// Words of a bank of buffer P: Lanes binary32 each.
  parameter int unsigned ParamWords = 512,
  /// Elements of the longest head.
  parameter int unsigned HeadDimMax = 64,
  /// Query heads of the largest model.
  parameter int unsigned HeadsMax = 8,
  /// Candidates of a slot.
  parameter int unsigned Candidates = 256,
  /// Hash of the configuration; the programs made for this card name it.
  parameter logic [63:0] ConfigHash = 64'h7b2e_a504_669a_a1ce,
  /// A pass that does nothing for 2 ** WatchdogBits cycles is stopped.
  parameter int unsigned WatchdogBits = 24
) (
  /// Clock.
  input  logic                         clk_i,
  /// Asynchronous reset, active low. Reset the memory behind m_axi with it.
  input  logic                         rst_ni,
  /// Interrupt, level: docs/registers.md, IRQ_STATUS.
  output logic                         irq_o,

  /// Registers, AXI4-Lite: docs/registers.md.
  input  logic                         s_axil_awvalid_i,
  /// Registers.
  output logic                         s_axil_awready_o,
  /// Registers: byte offset.
  input  logic [11:0]                  s_axil_awaddr_i,
  /// Registers: ignored.
  input  logic [2:0]                   s_axil_awprot_i,
  /// Registers.
  input  logic                         s_axil_wvalid_i,
  /// Registers.
  output logic                         s_axil_wready_o,
  /// Registers.
  input  logic [31:0]                  s_axil_wdata_i,
  /// Registers.
  input  logic [3:0]                   s_axil_wstrb_i,
  /// Registers.
  output logic                         s_axil_bvalid_o,
  /// Registers.
  input  logic                         s_axil_bready_i,
  /// Registers: always OKAY.
  output logic [1:0]                   s_axil_bresp_o,
  /// Registers.
  input  logic                         s_axil_arvalid_i,
  /// Registers.
  output logic                         s_axil_arready_o,
  /// Registers: byte offset.
  input  logic [11:0]                  s_axil_araddr_i,
  /// Registers: ignored.
  input  logic [2:0]                   s_axil_arprot_i,
  /// Registers.
  output logic                         s_axil_rvalid_o,
  /// Registers.
  input  logic                         s_axil_rready_i,
  /// Registers; an offset without a register reads as zero.
  output logic [31:0]                  s_axil_rdata_o,
  /// Registers: always OKAY.
  output logic [1:0]                   s_axil_rresp_o,

  /// Memory, AXI4 masters; port p has bit or field p of every vector.
  output logic [Ports-1:0]             m_axi_arvalid_o,
  /// Memory.
  input  logic [Ports-1:0]             m_axi_arready_i,
  /// Memory: byte address of the burst.
  output logic [64*Ports-1:0]          m_axi_araddr_o,
  /// Memory: transfers less one, 0..15.
  output logic [8*Ports-1:0]           m_axi_arlen_o,
  /// Memory: constant, PortBytes a transfer.
  output logic [3*Ports-1:0]           m_axi_arsize_o,
  /// Memory: constant, INCR.
  output logic [2*Ports-1:0]           m_axi_arburst_o,
  /// Memory.
  input  logic [Ports-1:0]             m_axi_rvalid_i,
  /// Memory: constant, always ready.
  output logic [Ports-1:0]             m_axi_rready_o,
  /// Memory.
  input  logic [8*PortBytes*Ports-1:0] m_axi_rdata_i,
  /// Memory: other than OKAY stops the pass.
  input  logic [2*Ports-1:0]           m_axi_rresp_i,
  /// Memory: not needed.
  input  logic [Ports-1:0]             m_axi_rlast_i,
  /// Memory.
  output logic [Ports-1:0]             m_axi_awvalid_o,
  /// Memory.
  input  logic [Ports-1:0]             m_axi_awready_i,
  /// Memory: byte address of the burst.
  output logic [64*Ports-1:0]          m_axi_awaddr_o,
  /// Memory: transfers less one, 0..15.
  output logic [8*Ports-1:0]           m_axi_awlen_o,
  /// Memory: constant, PortBytes a transfer.
  output logic [3*Ports-1:0]           m_axi_awsize_o,
  /// Memory: constant, INCR.
  output logic [2*Ports-1:0]           m_axi_awburst_o,
  /// Memory.
  output logic [Ports-1:0]             m_axi_wvalid_o,
  /// Memory.
  input  logic [Ports-1:0]             m_axi_wready_i,
  /// Memory.
  output logic [8*PortBytes*Ports-1:0] m_axi_wdata_o,
  /// Memory: which bytes are written.
  output logic [PortBytes*Ports-1:0]   m_axi_wstrb_o,
  /// Memory: last transfer of a burst.
  output logic [Ports-1:0]             m_axi_wlast_o,
  /// Memory.
  input  logic [Ports-1:0]             m_axi_bvalid_i,
  /// Memory: constant, always ready.
  output logic [Ports-1:0]             m_axi_bready_o,
  /// Memory: other than OKAY stops the pass.
  input  logic [2*Ports-1:0]           m_axi_bresp_i,

  /// Queue: the host interface offers a pass; 0 without one.
  input  logic                         queue_valid_i,
  /// Queue: the pass starts, as if its address had been written to the doorbell.
  output logic                         queue_ready_o,
  /// Queue: address of its descriptor; with queue_ready_o and in the cycle after.
  input  logic [63:0]                  queue_address_i,
  /// Queue: the pass is to be ended, as by CONTROL.stop; 0 without a queue.
  input  logic                         queue_stop_i,
  /// Queue: a pass runs, whoever started it.
  output logic                         pass_busy_o,
  /// Queue: a pass is complete, for one cycle.
  output logic                         pass_done_o,
  /// Queue: a pass was stopped, for one cycle.
  output logic                         pass_failed_o,
  /// Queue: why; with pass_failed_o.
  output tt_card_pkg::error_e          pass_code_o,
  /// Queue: in which command; with pass_failed_o.
  output logic [15:0]                  pass_command_o,
  /// Queue: the regions, as the registers have them.
  output tt_card_pkg::regions_t        regions_o,

  /// Trace: unit u has work: load, multiply, vector, attention, head, check.
  output logic [5:0]                   unit_busy_o,
  /// Trace: a command of unit u waits for other units.
  output logic [5:0]                   unit_wait_o,
  /// Trace: index of the oldest unfinished command of unit u, or of its last one; 16 bits each.
  output logic [95:0]                  unit_command_o,
  /// Trace: a beat of weights is consumed.
  output logic                         weight_beat_o,
  /// Trace: why none is.
  output tt_pkg::lost_t                lost_o,
  /// Trace: a beat is read from memory.
  output logic                         read_beat_o,
  /// Trace: a beat is written to memory.
  output logic                         write_beat_o
);
  localparam int unsigned BeatBytes    = Ports * PortBytes;
  localparam int unsigned Beat         = 8 * BeatBytes;
  localparam int unsigned Units        = 6;
  // Of the units, and the sequencer.
  localparam int unsigned ReadClients  = 8;
  localparam int unsigned WriteClients = 2;

  if (Slots < 1 || Slots > 64) begin : gen_bad_slots
    $fatal(1, "tt_card: Slots must be 1..64");
  end
  if (Ports < 1 || 2 ** $clog2(Ports) != Ports || 2 ** $clog2(PortBytes) != PortBytes
      || BeatBytes < 16 || BeatBytes > 128 || PortBytes > 128) begin : gen_bad_ports
    $fatal(1, "tt_card: Ports and PortBytes must be powers of two, a beat 16 to 128 bytes");
  end
  if (Groups % 5 != 0 || Rows * 3 * Groups / 5 > BeatBytes) begin : gen_bad_tile
    $fatal(1, "tt_card: Groups must be a multiple of 5, and a tile must fit a beat");
  end
  if (2 ** $clog2(Lanes) != Lanes || Lanes * 4 > BeatBytes || 64 % Lanes != 0) begin : gen_bad_lanes
    $fatal(1, "tt_card: Lanes must be a power of two, at most a quarter of the bytes of a beat");
  end
  if (2 ** $clog2(PageRows) != PageRows || PageRows < 2) begin : gen_bad_page
    $fatal(1, "tt_card: PageRows must be a power of two");
  end
  if (ScoreLanes < 1 || Lanes % ScoreLanes != 0 || PageRows % ScoreLanes != 0) begin : gen_bad_score
    $fatal(1, "tt_card: ScoreLanes must divide Lanes and PageRows");
  end
  if (HeadsMax < 1 || HeadsMax > 255 || HeadDimMax % 16 != 0 || HeadDimMax % (2 * Lanes) != 0)
  begin : gen_bad_heads
    $fatal(1, "tt_card: HeadsMax must be 1..255, HeadDimMax a multiple of 16 and of 2 * Lanes");
  end
  if (PanelTiles < 1 || PanelTiles > 65535 || ActBlocks * 3 * Groups > 65535) begin : gen_bad_panel
    $fatal(1, "tt_card: PanelTiles must be 1..65535, ActBlocks blocks at most 65535 columns");
  end

  // ---- registers -------------------------------------------------------------------------------
  logic [63:0]         image_base, image_bytes, state_base, state_bytes, address;
  logic                start, stop, step_mode, step, busy, paused, pass_done, failed;
  logic [15:0]         next, error_command;
  logic [2:0]          commands_done;
  logic [39:0]         error_address;
  tt_card_pkg::error_e code;

  tt_card_control #(
    .Slots     (Slots),
    .Rows      (Rows),
    .Groups    (Groups),
    .Lanes     (Lanes),
    .Ports     (Ports),
    .PortBytes (PortBytes),
    .PageRows  (PageRows),
    .PanelTiles(PanelTiles),
    .Candidates(Candidates),
    .ConfigHash(ConfigHash)
  ) u_control (
    .clk_i,
    .rst_ni,
    .s_axil_awvalid_i,
    .s_axil_awready_o,
    .s_axil_awaddr_i,
    .s_axil_awprot_i,
    .s_axil_wvalid_i,
    .s_axil_wready_o,
    .s_axil_wdata_i,
    .s_axil_wstrb_i,
    .s_axil_bvalid_o,
    .s_axil_bready_i,
    .s_axil_bresp_o,
    .s_axil_arvalid_i,
    .s_axil_arready_o,
    .s_axil_araddr_i,
    .s_axil_arprot_i,
    .s_axil_rvalid_o,
    .s_axil_rready_i,
    .s_axil_rdata_o,
    .s_axil_rresp_o,
    .irq_o,
    .image_base_o   (image_base),
    .image_bytes_o  (image_bytes),
    .state_base_o   (state_base),
    .state_bytes_o  (state_bytes),
    .start_o        (start),
    .address_o      (address),
    .abort_o        (stop),
    .queue_valid_i,
    .queue_ready_o,
    .queue_address_i,
    .queue_stop_i,
    .step_mode_o    (step_mode),
    .step_o         (step),
    .busy_i         (busy),
    .paused_i       (paused),
    .next_i         (next),
    .pass_done_i    (pass_done),
    .failed_i       (failed),
    .code_i         (code),
    .command_i      (error_command),
    .error_address_i(error_address),
    .commands_done_i(commands_done),
    .read_beat_i    (read_beat_o),
    .write_beat_i   (write_beat_o),
    .weight_beat_i  (weight_beat_o),
    .lost_i         (lost_o),
    .unit_busy_i    (unit_busy_o),
    .unit_wait_i    (unit_wait_o)
  );

  assign pass_busy_o    = busy;
  assign pass_done_o    = pass_done;
  assign pass_failed_o  = failed;
  assign pass_code_o    = code;
  assign pass_command_o = error_command;
  assign regions_o      = {state_bytes, state_base, image_bytes, image_base};

  // ---- sequencer -------------------------------------------------------------------------------
  logic [ReadClients-1:0]                 rd_valid, rd_ready, rd_data_valid;
  logic [40*ReadClients-1:0]              rd_address;
  logic [5*ReadClients-1:0]               rd_beats;
  logic [Beat-1:0]                        rd_data;
  logic [WriteClients-1:0]                wr_valid, wr_ready, wr_data_valid, wr_data_ready, wr_done;
  logic [40*WriteClients-1:0]             wr_address;
  logic [5*WriteClients-1:0]              wr_beats;
  logic [Beat*WriteClients-1:0]           wr_data;
  logic [BeatBytes*WriteClients-1:0]      wr_strobe;
  logic [Units-1:0]                       cmd_valid, cmd_ready, done;
  logic [512*Units-1:0]                   cmd;
  tt_card_pkg::model_t                    model;
  logic [7:0]                             slots;
  logic [tt_card_pkg::SlotBits*Slots-1:0] slot;
  logic [39:0]                            results, logits, checksum_address, memory_address;
  logic                                   memory_error, quiet, page_error, table_error;
  logic                                   checksum_error, halt, block, unit_rst_n;
  tt_memory_pkg::error_e                  memory_kind;

  tt_sequencer #(
    .Slots        (Slots),
    .Rows         (Rows),
    .Groups       (Groups),
    .BeatBytes    (BeatBytes),
    .PanelTiles   (PanelTiles),
    .Lanes        (Lanes),
    .PageRows     (PageRows),
    .ResidualWords(ResidualWords),
    .WorkWords    (WorkWords),
    .ActBlocks    (ActBlocks),
    .QueryWords   (QueryWords),
    .ParamWords   (ParamWords),
    .HeadDimMax   (HeadDimMax),
    .HeadsMax     (HeadsMax),
    .ConfigHash   (ConfigHash),
    .WatchdogBits (WatchdogBits)
  ) u_sequencer (
    .clk_i,
    .rst_ni,
    .start_i           (start),
    .address_i         (address),
    .abort_i           (stop),
    .step_mode_i       (step_mode),
    .step_i            (step),
    .busy_o            (busy),
    .paused_o          (paused),
    .next_o            (next),
    .pass_done_o       (pass_done),
    .commands_done_o   (commands_done),
    .failed_o          (failed),
    .code_o            (code),
    .command_o         (error_command),
    .address_o         (error_address),
    .rd_valid_o        (rd_valid[7]),
    .rd_ready_i        (rd_ready[7] & ~block),
    .rd_address_o      (rd_address[40*7 +: 40]),
    .rd_beats_o        (rd_beats[5*7 +: 5]),
    .rd_data_valid_i   (rd_data_valid[7]),
    .rd_data_i         (rd_data),
    .model_o           (model),
    .slots_o           (slots),
    .slot_o            (slot),
    .results_o         (results),
    .logits_o          (logits),
    .cmd_valid_o       (cmd_valid),
    .cmd_ready_i       (cmd_ready),
    .cmd_o             (cmd),
    .done_i            (done),
    .waiting_o         (unit_wait_o),
    .unit_command_o,
    .beat_i            (read_beat_o | write_beat_o),
    .memory_error_i    (memory_error),
    .memory_kind_i     ({1'b0, memory_kind}),
    .memory_address_i  (memory_address),
    .memory_quiet_i    (quiet),
    .page_error_i      (page_error),
    .table_error_i     (table_error),
    .checksum_error_i  (checksum_error),
    .checksum_address_i(checksum_address),
    .halt_o            (halt),
    .block_o           (block),
    .unit_rst_no       (unit_rst_n)
  );

  // ---- units -----------------------------------------------------------------------------------
  tt_units #(
    .Slots        (Slots),
    .Rows         (Rows),
    .Groups       (Groups),
    .Engine       (Engine),
    .DspSums      (DspSums),
    .BeatBytes    (BeatBytes),
    .PanelTiles   (PanelTiles),
    .Lanes        (Lanes),
    .PageRows     (PageRows),
    .ScoreLanes   (ScoreLanes),
    .ScoreWords   (ScoreWords),
    .ResidualWords(ResidualWords),
    .WorkWords    (WorkWords),
    .ActBlocks    (ActBlocks),
    .QueryWords   (QueryWords),
    .ParamWords   (ParamWords),
    .HeadDimMax   (HeadDimMax),
    .HeadsMax     (HeadsMax),
    .Candidates   (Candidates)
  ) u_units (
    .clk_i,
    .rst_ni            (unit_rst_n),
    .model_i           (model),
    .slots_i           (slots),
    .slot_i            (slot),
    .results_i         (results),
    .logits_i          (logits),
    .cmd_valid_i       (cmd_valid),
    .cmd_ready_o       (cmd_ready),
    .cmd_i             (cmd),
    .done_o            (done),
    .busy_o            (unit_busy_o),
    .page_error_o      (page_error),
    .table_error_o     (table_error),
    .checksum_error_o  (checksum_error),
    .checksum_address_o(checksum_address),
    .weight_beat_o,
    .lost_o,
    .rd_valid_o        (rd_valid[6:0]),
    .rd_ready_i        (rd_ready[6:0] & {7{~block}}),
    .rd_address_o      (rd_address[40*7-1:0]),
    .rd_beats_o        (rd_beats[5*7-1:0]),
    .rd_data_valid_i   (rd_data_valid[6:0]),
    .rd_data_i         (rd_data),
    .wr_valid_o        (wr_valid),
    .wr_ready_i        (wr_ready & {WriteClients{~block}}),
    .wr_address_o      (wr_address),
    .wr_beats_o        (wr_beats),
    .wr_data_valid_o   (wr_data_valid),
    .wr_data_ready_i   (wr_data_ready),
    .wr_data_o         (wr_data),
    .wr_strobe_o       (wr_strobe),
    .wr_done_i         (wr_done)
  );

  // ---- memory ----------------------------------------------------------------------------------
  logic read_wait, write_wait;

  tt_memory #(
    .ReadClients (ReadClients),
    .WriteClients(WriteClients),
    .Stream      (0),
    .Ports       (Ports),
    .PortBytes   (PortBytes)
  ) u_memory (
    .clk_i,
    .rst_ni         (unit_rst_n),
    .image_base_i   (image_base),
    .image_bytes_i  (image_bytes),
    .state_base_i   (state_base),
    .state_bytes_i  (state_bytes),
    .halt_i         (halt),
    .rd_valid_i     (rd_valid & {ReadClients{~block}}),
    .rd_ready_o     (rd_ready),
    .rd_address_i   (rd_address),
    .rd_beats_i     (rd_beats),
    .rd_data_valid_o(rd_data_valid),
    .rd_data_o      (rd_data),
    .wr_valid_i     (wr_valid & {WriteClients{~block}}),
    .wr_ready_o     (wr_ready),
    .wr_address_i   (wr_address),
    .wr_beats_i     (wr_beats),
    .wr_data_valid_i(wr_data_valid),
    .wr_data_ready_o(wr_data_ready),
    .wr_data_i      (wr_data),
    .wr_strobe_i    (wr_strobe),
    .wr_done_o      (wr_done),
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
    .m_axi_awvalid_o,
    .m_axi_awready_i,
    .m_axi_awaddr_o,
    .m_axi_awlen_o,
    .m_axi_awsize_o,
    .m_axi_awburst_o,
    .m_axi_wvalid_o,
    .m_axi_wready_i,
    .m_axi_wdata_o,
    .m_axi_wstrb_o,
    .m_axi_wlast_o,
    .m_axi_bvalid_i,
    .m_axi_bready_o,
    .m_axi_bresp_i,
    .error_o        (memory_error),
    .error_kind_o   (memory_kind),
    .error_address_o(memory_address),
    .read_beat_o,
    .write_beat_o,
    .read_wait_o    (read_wait),
    .write_wait_o   (write_wait),
    .idle_o         (quiet)
  );

  logic unused;
  assign unused = read_wait ^ write_wait;
endmodule

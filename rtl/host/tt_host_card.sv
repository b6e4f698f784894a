/// A card behind the bridge of a board: the card, a queue of work in host memory, and copies between
/// host memory and the card's. docs/host-interface.md is the contract.
///
/// The defaults are the card sim-small; cards/ has the values of the others.
module tt_host_card #(
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
  /// A pass that does nothing for 2 ** WatchdogBits cycles is stopped; so is a queue whose bus is silent.
  parameter int unsigned WatchdogBits = 24,
  /// The first 32 bits of the source revision that the card was built from; 0: not known.
  parameter logic [31:0] Revision = '0,
  /// Physical address of card memory.
  parameter logic [63:0] MemoryBase = 64'h4000_0000,
  /// Bytes of card memory.
  parameter logic [63:0] MemoryBytes = 64'h1000_0000,
  /// Most that RING_BITS may be, at most 12.
  parameter int unsigned RingBits = 10,
  /// Beats of a copy that may be on their way, a power of two, at least 32.
  parameter int unsigned CopyBeats = 512
) (
  /// Clock.
  input  logic                         clk_i,
  /// Asynchronous reset, active low, of the function. Reset what is behind m_axi and m_host with it.
  input  logic                         rst_ni,
  /// Interrupt, level: IRQ_STATUS of the host interface.
  output logic                         irq_o,
  /// A message is offered; it holds until taken.
  output logic                         irq_valid_o,
  /// Its vector.
  output logic [0:0]                   irq_vector_o,
  /// The message is taken.
  input  logic                         irq_ready_i,
  /// Trace: an entry or a pass is worked on.
  output logic                         busy_o,

  /// BAR0, AXI4-Lite: docs/host-interface.md.
  input  logic                         s_axil_awvalid_i,
  /// BAR0.
  output logic                         s_axil_awready_o,
  /// BAR0: byte offset.
  input  logic [12:0]                  s_axil_awaddr_i,
  /// BAR0: ignored.
  input  logic [2:0]                   s_axil_awprot_i,
  /// BAR0.
  input  logic                         s_axil_wvalid_i,
  /// BAR0.
  output logic                         s_axil_wready_o,
  /// BAR0.
  input  logic [31:0]                  s_axil_wdata_i,
  /// BAR0.
  input  logic [3:0]                   s_axil_wstrb_i,
  /// BAR0.
  output logic                         s_axil_bvalid_o,
  /// BAR0.
  input  logic                         s_axil_bready_i,
  /// BAR0: always OKAY.
  output logic [1:0]                   s_axil_bresp_o,
  /// BAR0.
  input  logic                         s_axil_arvalid_i,
  /// BAR0.
  output logic                         s_axil_arready_o,
  /// BAR0: byte offset.
  input  logic [12:0]                  s_axil_araddr_i,
  /// BAR0: ignored.
  input  logic [2:0]                   s_axil_arprot_i,
  /// BAR0.
  output logic                         s_axil_rvalid_o,
  /// BAR0.
  input  logic                         s_axil_rready_i,
  /// BAR0; an offset without a register reads as zero.
  output logic [31:0]                  s_axil_rdata_o,
  /// BAR0: always OKAY.
  output logic [1:0]                   s_axil_rresp_o,

  /// Host memory, AXI4 master, a beat wide.
  output logic                         m_host_arvalid_o,
  /// Host memory.
  input  logic                         m_host_arready_i,
  /// Host memory: byte address of the burst.
  output logic [63:0]                  m_host_araddr_o,
  /// Host memory: beats less one, 0..15.
  output logic [7:0]                   m_host_arlen_o,
  /// Host memory: constant, a whole beat.
  output logic [2:0]                   m_host_arsize_o,
  /// Host memory: constant, INCR.
  output logic [1:0]                   m_host_arburst_o,
  /// Host memory.
  input  logic                         m_host_rvalid_i,
  /// Host memory: constant, always ready.
  output logic                         m_host_rready_o,
  /// Host memory.
  input  logic [8*PortBytes*Ports-1:0] m_host_rdata_i,
  /// Host memory: other than OKAY stops the queue.
  input  logic [1:0]                   m_host_rresp_i,
  /// Host memory: not needed.
  input  logic                         m_host_rlast_i,
  /// Host memory.
  output logic                         m_host_awvalid_o,
  /// Host memory.
  input  logic                         m_host_awready_i,
  /// Host memory: byte address of the burst.
  output logic [63:0]                  m_host_awaddr_o,
  /// Host memory: beats less one, 0..15.
  output logic [7:0]                   m_host_awlen_o,
  /// Host memory: constant, a whole beat.
  output logic [2:0]                   m_host_awsize_o,
  /// Host memory: constant, INCR.
  output logic [1:0]                   m_host_awburst_o,
  /// Host memory.
  output logic                         m_host_wvalid_o,
  /// Host memory.
  input  logic                         m_host_wready_i,
  /// Host memory.
  output logic [8*PortBytes*Ports-1:0] m_host_wdata_o,
  /// Host memory: which bytes are written.
  output logic [PortBytes*Ports-1:0]   m_host_wstrb_o,
  /// Host memory: last beat of a burst.
  output logic                         m_host_wlast_o,
  /// Host memory.
  input  logic                         m_host_bvalid_i,
  /// Host memory: constant, always ready.
  output logic                         m_host_bready_o,
  /// Host memory: other than OKAY stops the queue.
  input  logic [1:0]                   m_host_bresp_i,

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
  /// Memory: high while a burst is on its way.
  output logic [Ports-1:0]             m_axi_rready_o,
  /// Memory.
  input  logic [8*PortBytes*Ports-1:0] m_axi_rdata_i,
  /// Memory: other than OKAY stops the pass or the copy.
  input  logic [2*Ports-1:0]           m_axi_rresp_i,
  /// Memory: last transfer of a burst.
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
  /// Memory: high while a burst is on its way.
  output logic [Ports-1:0]             m_axi_bready_o,
  /// Memory: other than OKAY stops the pass or the copy.
  input  logic [2*Ports-1:0]           m_axi_bresp_i
);
  localparam int unsigned BeatBytes = Ports * PortBytes;
  localparam int unsigned Beat      = 8 * BeatBytes;

  // ---- BAR0 ------------------------------------------------------------------------------------
  // Bit or field 0: the card, 1: the host interface.
  logic [1:0]  awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
  logic [3:0]  bresp, rresp;
  logic [63:0] rdata;

  tt_host_bar u_bar (
    .clk_i,
    .rst_ni,
    .s_axil_awvalid_i,
    .s_axil_awready_o,
    .s_axil_awaddr_i (s_axil_awaddr_i[12]),
    .s_axil_wvalid_i,
    .s_axil_wready_o,
    .s_axil_bvalid_o,
    .s_axil_bready_i,
    .s_axil_bresp_o,
    .s_axil_arvalid_i,
    .s_axil_arready_o,
    .s_axil_araddr_i (s_axil_araddr_i[12]),
    .s_axil_rvalid_o,
    .s_axil_rready_i,
    .s_axil_rdata_o,
    .s_axil_rresp_o,
    .awvalid_o       (awvalid),
    .awready_i       (awready),
    .wvalid_o        (wvalid),
    .wready_i        (wready),
    .bvalid_i        (bvalid),
    .bready_o        (bready),
    .bresp_i         (bresp),
    .arvalid_o       (arvalid),
    .arready_i       (arready),
    .rvalid_i        (rvalid),
    .rready_o        (rready),
    .rdata_i         (rdata),
    .rresp_i         (rresp)
  );

  // ---- the queue -------------------------------------------------------------------------------
  logic                  enable, queue_busy, stopped, completed;
  logic [31:0]           tail, head;
  logic [63:0]           load;
  logic [1:0]            events;
  tt_host_pkg::rings_t   rings;
  tt_host_regs_pkg::host_status_e_e status;
  logic                  pass_valid, pass_ready, pass_stop, pass_busy, pass_done, pass_failed;
  logic [63:0]           pass_address;
  logic [15:0]           pass_command;
  tt_card_pkg::error_e   pass_code;
  tt_card_pkg::regions_t regions;

  tt_host_control #(
    .BeatBytes  (BeatBytes),
    .RingBits   (RingBits),
    .Revision   (Revision),
    .MemoryBase (MemoryBase),
    .MemoryBytes(MemoryBytes)
  ) u_control (
    .clk_i,
    .rst_ni,
    .s_axil_awvalid_i(awvalid[1]),
    .s_axil_awready_o(awready[1]),
    .s_axil_awaddr_i (s_axil_awaddr_i[11:0]),
    .s_axil_awprot_i,
    .s_axil_wvalid_i (wvalid[1]),
    .s_axil_wready_o (wready[1]),
    .s_axil_wdata_i,
    .s_axil_wstrb_i,
    .s_axil_bvalid_o (bvalid[1]),
    .s_axil_bready_i (bready[1]),
    .s_axil_bresp_o  (bresp[3:2]),
    .s_axil_arvalid_i(arvalid[1]),
    .s_axil_arready_o(arready[1]),
    .s_axil_araddr_i (s_axil_araddr_i[11:0]),
    .s_axil_arprot_i,
    .s_axil_rvalid_o (rvalid[1]),
    .s_axil_rready_i (rready[1]),
    .s_axil_rdata_o  (rdata[63:32]),
    .s_axil_rresp_o  (rresp[3:2]),
    .irq_o,
    .irq_valid_o,
    .irq_vector_o    (irq_vector_o[0]),
    .irq_ready_i,
    .enable_o        (enable),
    .tail_o          (tail),
    .rings_o         (rings),
    .load_o          (load),
    .head_i          (head),
    .busy_i          (queue_busy),
    .stopped_i       (stopped),
    .error_i         (status),
    .event_i         (events),
    .completed_i     (completed),
    .read_beat_i     (m_host_rvalid_i & m_host_rready_o),
    .write_beat_i    (m_host_wvalid_o & m_host_wready_i)
  );

  // Master 0 of card memory is the card, 1 are the copies.
  logic [2*Ports-1:0]           j_arvalid, j_arready, j_rvalid, j_awvalid, j_awready, j_wvalid;
  logic [2*Ports-1:0]           j_wready, j_wlast, j_bvalid;
  logic [128*Ports-1:0]         j_araddr, j_awaddr;
  logic [16*Ports-1:0]          j_arlen, j_awlen;
  logic [2*Beat-1:0]            j_wdata;
  logic [2*BeatBytes-1:0]       j_wstrb;

  tt_host_dma #(
    .Ports       (Ports),
    .PortBytes   (PortBytes),
    .MemoryBase  (MemoryBase),
    .MemoryBytes (MemoryBytes),
    .RingBits    (RingBits),
    .CopyBeats   (CopyBeats),
    .WatchdogBits(WatchdogBits)
  ) u_dma (
    .clk_i,
    .rst_ni,
    .enable_i       (enable),
    .tail_i         (tail),
    .rings_i        (rings),
    .regions_i      (regions),
    .load_i         (load),
    .head_o         (head),
    .busy_o         (queue_busy),
    .stopped_o      (stopped),
    .error_o        (status),
    .event_o        (events),
    .completed_o    (completed),
    .pass_valid_o   (pass_valid),
    .pass_ready_i   (pass_ready),
    .pass_address_o (pass_address),
    .pass_stop_o    (pass_stop),
    .pass_done_i    (pass_done),
    .pass_failed_i  (pass_failed),
    .pass_code_i    (pass_code),
    .pass_command_i (pass_command),
    .m_host_arvalid_o,
    .m_host_arready_i,
    .m_host_araddr_o,
    .m_host_arlen_o,
    .m_host_rvalid_i,
    .m_host_rdata_i,
    .m_host_rresp_i,
    .m_host_awvalid_o,
    .m_host_awready_i,
    .m_host_awaddr_o,
    .m_host_awlen_o,
    .m_host_wvalid_o,
    .m_host_wready_i,
    .m_host_wdata_o,
    .m_host_wstrb_o,
    .m_host_wlast_o,
    .m_host_bvalid_i,
    .m_host_bresp_i,
    .m_axi_arvalid_o(j_arvalid[Ports +: Ports]),
    .m_axi_arready_i(j_arready[Ports +: Ports]),
    .m_axi_araddr_o (j_araddr[64*Ports +: 64*Ports]),
    .m_axi_arlen_o  (j_arlen[8*Ports +: 8*Ports]),
    .m_axi_rvalid_i (j_rvalid[Ports +: Ports]),
    .m_axi_rdata_i,
    .m_axi_rresp_i,
    .m_axi_awvalid_o(j_awvalid[Ports +: Ports]),
    .m_axi_awready_i(j_awready[Ports +: Ports]),
    .m_axi_awaddr_o (j_awaddr[64*Ports +: 64*Ports]),
    .m_axi_awlen_o  (j_awlen[8*Ports +: 8*Ports]),
    .m_axi_wvalid_o (j_wvalid[Ports +: Ports]),
    .m_axi_wready_i (j_wready[Ports +: Ports]),
    .m_axi_wdata_o  (j_wdata[Beat +: Beat]),
    .m_axi_wstrb_o  (j_wstrb[BeatBytes +: BeatBytes]),
    .m_axi_wlast_o  (j_wlast[Ports +: Ports]),
    .m_axi_bvalid_i (j_bvalid[Ports +: Ports]),
    .m_axi_bresp_i
  );

  assign m_host_arsize_o  = 3'($clog2(BeatBytes));
  assign m_host_arburst_o = 2'b01;
  assign m_host_rready_o  = 1'b1;
  assign m_host_awsize_o  = 3'($clog2(BeatBytes));
  assign m_host_awburst_o = 2'b01;
  assign m_host_bready_o  = 1'b1;
  assign busy_o           = queue_busy | pass_busy;

  // ---- the card --------------------------------------------------------------------------------
  logic             card_irq, weight_beat, read_beat, write_beat;
  logic [5:0]       unit_busy, unit_wait;
  logic [95:0]      unit_command;
  logic [Ports-1:0] card_rready, card_bready;
  tt_pkg::lost_t    lost;

  tt_card #(
    .Slots        (Slots),
    .Rows         (Rows),
    .Groups       (Groups),
    .Engine       (Engine),
    .DspSums      (DspSums),
    .Ports        (Ports),
    .PortBytes    (PortBytes),
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
    .Candidates   (Candidates),
    .ConfigHash   (ConfigHash),
    .WatchdogBits (WatchdogBits)
  ) u_card (
    .clk_i,
    .rst_ni,
    .irq_o           (card_irq),
    .s_axil_awvalid_i(awvalid[0]),
    .s_axil_awready_o(awready[0]),
    .s_axil_awaddr_i (s_axil_awaddr_i[11:0]),
    .s_axil_awprot_i,
    .s_axil_wvalid_i (wvalid[0]),
    .s_axil_wready_o (wready[0]),
    .s_axil_wdata_i,
    .s_axil_wstrb_i,
    .s_axil_bvalid_o (bvalid[0]),
    .s_axil_bready_i (bready[0]),
    .s_axil_bresp_o  (bresp[1:0]),
    .s_axil_arvalid_i(arvalid[0]),
    .s_axil_arready_o(arready[0]),
    .s_axil_araddr_i (s_axil_araddr_i[11:0]),
    .s_axil_arprot_i,
    .s_axil_rvalid_o (rvalid[0]),
    .s_axil_rready_i (rready[0]),
    .s_axil_rdata_o  (rdata[31:0]),
    .s_axil_rresp_o  (rresp[1:0]),
    .m_axi_arvalid_o (j_arvalid[0 +: Ports]),
    .m_axi_arready_i (j_arready[0 +: Ports]),
    .m_axi_araddr_o  (j_araddr[0 +: 64*Ports]),
    .m_axi_arlen_o   (j_arlen[0 +: 8*Ports]),
    .m_axi_arsize_o,
    .m_axi_arburst_o,
    .m_axi_rvalid_i  (j_rvalid[0 +: Ports]),
    .m_axi_rready_o  (card_rready),
    .m_axi_rdata_i,
    .m_axi_rresp_i,
    .m_axi_rlast_i,
    .m_axi_awvalid_o (j_awvalid[0 +: Ports]),
    .m_axi_awready_i (j_awready[0 +: Ports]),
    .m_axi_awaddr_o  (j_awaddr[0 +: 64*Ports]),
    .m_axi_awlen_o   (j_awlen[0 +: 8*Ports]),
    .m_axi_awsize_o,
    .m_axi_awburst_o,
    .m_axi_wvalid_o  (j_wvalid[0 +: Ports]),
    .m_axi_wready_i  (j_wready[0 +: Ports]),
    .m_axi_wdata_o   (j_wdata[0 +: Beat]),
    .m_axi_wstrb_o   (j_wstrb[0 +: BeatBytes]),
    .m_axi_wlast_o   (j_wlast[0 +: Ports]),
    .m_axi_bvalid_i  (j_bvalid[0 +: Ports]),
    .m_axi_bready_o  (card_bready),
    .m_axi_bresp_i,
    .queue_valid_i   (pass_valid),
    .queue_ready_o   (pass_ready),
    .queue_address_i (pass_address),
    .queue_stop_i    (pass_stop),
    .pass_busy_o     (pass_busy),
    .pass_done_o     (pass_done),
    .pass_failed_o   (pass_failed),
    .pass_code_o     (pass_code),
    .pass_command_o  (pass_command),
    .regions_o       (regions),
    .unit_busy_o     (unit_busy),
    .unit_wait_o     (unit_wait),
    .unit_command_o  (unit_command),
    .weight_beat_o   (weight_beat),
    .lost_o          (lost),
    .read_beat_o     (read_beat),
    .write_beat_o    (write_beat)
  );

  // ---- card memory -----------------------------------------------------------------------------
  tt_axi_join #(
    .Ports    (Ports),
    .PortBytes(PortBytes)
  ) u_join (
    .clk_i,
    .rst_ni,
    .s_axi_arvalid_i(j_arvalid),
    .s_axi_arready_o(j_arready),
    .s_axi_araddr_i (j_araddr),
    .s_axi_arlen_i  (j_arlen),
    .s_axi_rvalid_o (j_rvalid),
    .s_axi_awvalid_i(j_awvalid),
    .s_axi_awready_o(j_awready),
    .s_axi_awaddr_i (j_awaddr),
    .s_axi_awlen_i  (j_awlen),
    .s_axi_wvalid_i (j_wvalid),
    .s_axi_wready_o (j_wready),
    .s_axi_wdata_i  (j_wdata),
    .s_axi_wstrb_i  (j_wstrb),
    .s_axi_wlast_i  (j_wlast),
    .s_axi_bvalid_o (j_bvalid),
    .m_axi_arvalid_o,
    .m_axi_arready_i,
    .m_axi_araddr_o,
    .m_axi_arlen_o,
    .m_axi_rvalid_i,
    .m_axi_rready_o,
    .m_axi_rlast_i,
    .m_axi_awvalid_o,
    .m_axi_awready_i,
    .m_axi_awaddr_o,
    .m_axi_awlen_o,
    .m_axi_wvalid_o,
    .m_axi_wready_i,
    .m_axi_wdata_o,
    .m_axi_wstrb_o,
    .m_axi_wlast_o,
    .m_axi_bvalid_i,
    .m_axi_bready_o
  );

  // The card's interrupt has no vector: the queue sees the end of a pass.
  logic unused;
  assign unused = ^{card_irq, unit_busy, unit_wait, unit_command, weight_beat, lost, read_beat,
                    write_beat, card_rready, card_bready, m_host_rlast_i};
endmodule

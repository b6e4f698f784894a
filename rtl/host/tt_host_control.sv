/// The registers of the host interface: docs/registers.md, tt_host_regs.
module tt_host_control #(
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 16,
  /// Most that RING_BITS may be.
  parameter int unsigned RingBits = 10,
  /// The first 32 bits of the source revision; 0: not known.
  parameter logic [31:0] Revision = '0,
  /// Physical address of card memory.
  parameter logic [63:0] MemoryBase = '0,
  /// Bytes of card memory.
  parameter logic [63:0] MemoryBytes = '0
) (
  /// Clock.
  input  logic                 clk_i,
  /// Asynchronous reset, active low: all registers as after power-on.
  input  logic                 rst_ni,
  /// Registers, AXI4-Lite.
  input  logic                 s_axil_awvalid_i,
  /// Registers.
  output logic                 s_axil_awready_o,
  /// Registers: byte offset.
  input  logic [11:0]          s_axil_awaddr_i,
  /// Registers: ignored.
  input  logic [2:0]           s_axil_awprot_i,
  /// Registers.
  input  logic                 s_axil_wvalid_i,
  /// Registers.
  output logic                 s_axil_wready_o,
  /// Registers.
  input  logic [31:0]          s_axil_wdata_i,
  /// Registers.
  input  logic [3:0]           s_axil_wstrb_i,
  /// Registers.
  output logic                 s_axil_bvalid_o,
  /// Registers.
  input  logic                 s_axil_bready_i,
  /// Registers: always OKAY.
  output logic [1:0]           s_axil_bresp_o,
  /// Registers.
  input  logic                 s_axil_arvalid_i,
  /// Registers.
  output logic                 s_axil_arready_o,
  /// Registers: byte offset.
  input  logic [11:0]          s_axil_araddr_i,
  /// Registers: ignored.
  input  logic [2:0]           s_axil_arprot_i,
  /// Registers.
  output logic                 s_axil_rvalid_o,
  /// Registers.
  input  logic                 s_axil_rready_i,
  /// Registers; an offset without a register reads as zero.
  output logic [31:0]          s_axil_rdata_o,
  /// Registers: always OKAY.
  output logic [1:0]           s_axil_rresp_o,

  /// Interrupt, level; a cycle after its registers.
  output logic                 irq_o,
  /// A message is offered.
  output logic                 irq_valid_o,
  /// Its vector.
  output logic                 irq_vector_o,
  /// It is taken.
  input  logic                 irq_ready_i,

  /// The queue runs.
  output logic                 enable_o,
  /// Entries that the host has written.
  output logic [31:0]          tail_o,
  /// Where the rings are.
  output tt_host_pkg::rings_t  rings_o,
  /// Bytes of the image that may be written.
  output logic [63:0]          load_o,

  /// Entries completed.
  input  logic [31:0]          head_i,
  /// An entry is worked on, or waits.
  input  logic                 busy_i,
  /// The queue was stopped by an error.
  input  logic                 stopped_i,
  /// Why.
  input  tt_host_regs_pkg::host_status_e_e error_i,
  /// A pulse: vector v is asked for, if it is enabled.
  input  logic [1:0]           event_i,
  /// Counted: a completion was written.
  input  logic                 completed_i,
  /// Counted: a beat was read from host memory.
  input  logic                 read_beat_i,
  /// Counted: a beat was written to host memory.
  input  logic                 write_beat_i
);
  tt_host_regs_pkg::tt_host_regs__in_t  regs_in;
  tt_host_regs_pkg::tt_host_regs__out_t regs_out;

  tt_host_regs u_regs (
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

  // ---- out -------------------------------------------------------------------------------------
  logic       clear;
  logic [1:0] irq_enable, irq_status;

  assign enable_o = regs_out.CONTROL.enable.value;
  assign clear    = regs_out.CONTROL.clear.value;
  assign tail_o   = regs_out.TAIL.value.value;
  assign load_o   = {regs_out.LOAD_BYTES_HI.value.value, regs_out.LOAD_BYTES_LO.value.value};

  assign rings_o.bits     = regs_out.RING_BITS.value.value;
  assign rings_o.submit   = {regs_out.SUBMIT_BASE_HI.value.value,
                             regs_out.SUBMIT_BASE_LO.value.value};
  assign rings_o.complete = {regs_out.COMPLETE_BASE_HI.value.value,
                             regs_out.COMPLETE_BASE_LO.value.value};

  assign irq_enable = {regs_out.IRQ_ENABLE.error.value, regs_out.IRQ_ENABLE.complete.value};
  assign irq_status = {regs_out.IRQ_STATUS.error.value, regs_out.IRQ_STATUS.complete.value};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) irq_o <= 1'b0;
    else irq_o <= (irq_status & irq_enable) != '0;
  end

  tt_host_messages u_messages (
    .clk_i,
    .rst_ni,
    .event_i(event_i & irq_enable),
    .irq_valid_o,
    .irq_vector_o,
    .irq_ready_i
  );

  // ---- in --------------------------------------------------------------------------------------
  always_comb begin
    regs_in = '0;
    regs_in.REVISION.value.next          = Revision;
    regs_in.GEOMETRY.beat_bytes.next     = 16'(BeatBytes);
    regs_in.GEOMETRY.vectors.next        = 8'd2;
    regs_in.GEOMETRY.ring_bits.next      = 8'(RingBits);
    regs_in.MEMORY_BASE_LO.value.next    = MemoryBase[31:0];
    regs_in.MEMORY_BASE_HI.value.next    = MemoryBase[63:32];
    regs_in.MEMORY_BYTES_LO.value.next   = MemoryBytes[31:0];
    regs_in.MEMORY_BYTES_HI.value.next   = MemoryBytes[63:32];
    regs_in.STATUS.busy.next             = busy_i;
    regs_in.STATUS.stopped.next          = stopped_i;
    regs_in.ERROR_CODE.code.next         = 8'(error_i);
    regs_in.HEAD.value.next              = head_i;
    // A queue that does not run has no tail.
    regs_in.TAIL.value.we                = !enable_o;
    regs_in.TAIL.value.next              = '0;
    regs_in.IRQ_STATUS.complete.hwset    = event_i[0];
    regs_in.IRQ_STATUS.error.hwset       = event_i[1];
    regs_in.CYCLES.value.incr            = busy_i;
    regs_in.CYCLES.value.hwclr           = clear;
    regs_in.ENTRIES.value.incr           = completed_i;
    regs_in.ENTRIES.value.hwclr          = clear;
    regs_in.HOST_READ_BEATS.value.incr   = read_beat_i;
    regs_in.HOST_READ_BEATS.value.hwclr  = clear;
    regs_in.HOST_WRITE_BEATS.value.incr  = write_beat_i;
    regs_in.HOST_WRITE_BEATS.value.hwclr = clear;
  end
endmodule

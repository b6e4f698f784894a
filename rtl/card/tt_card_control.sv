/// The registers of the card, as plain signals: rtl/registers/tt_card_regs.rdl, docs/registers.md.
module tt_card_control #(
  /// Slots of a pass.
  parameter int unsigned Slots = 4,
  /// Rows of a tile.
  parameter int unsigned Rows = 5,
  /// Groups of three columns of a block.
  parameter int unsigned Groups = 5,
  /// Lanes of the vector unit.
  parameter int unsigned Lanes = 4,
  /// AXI4 memory ports.
  parameter int unsigned Ports = 1,
  /// Bytes of a transfer of a port.
  parameter int unsigned PortBytes = 16,
  /// Rows of a KV page.
  parameter int unsigned PageRows = 8,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 512,
  /// Candidates of a slot.
  parameter int unsigned Candidates = 256,
  /// Hash of the configuration.
  parameter logic [63:0] ConfigHash = 64'd0
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low.
  input  logic                rst_ni,

  /// Registers, AXI4-Lite.
  input  logic                s_axil_awvalid_i,
  /// Registers.
  output logic                s_axil_awready_o,
  /// Registers: byte offset.
  input  logic [11:0]         s_axil_awaddr_i,
  /// Registers: ignored.
  input  logic [2:0]          s_axil_awprot_i,
  /// Registers.
  input  logic                s_axil_wvalid_i,
  /// Registers.
  output logic                s_axil_wready_o,
  /// Registers.
  input  logic [31:0]         s_axil_wdata_i,
  /// Registers.
  input  logic [3:0]          s_axil_wstrb_i,
  /// Registers.
  output logic                s_axil_bvalid_o,
  /// Registers.
  input  logic                s_axil_bready_i,
  /// Registers: always OKAY.
  output logic [1:0]          s_axil_bresp_o,
  /// Registers.
  input  logic                s_axil_arvalid_i,
  /// Registers.
  output logic                s_axil_arready_o,
  /// Registers: byte offset.
  input  logic [11:0]         s_axil_araddr_i,
  /// Registers: ignored.
  input  logic [2:0]          s_axil_arprot_i,
  /// Registers.
  output logic                s_axil_rvalid_o,
  /// Registers.
  input  logic                s_axil_rready_i,
  /// Registers; an offset without a register reads as zero.
  output logic [31:0]         s_axil_rdata_o,
  /// Registers: always OKAY.
  output logic [1:0]          s_axil_rresp_o,
  /// Interrupt, level.
  output logic                irq_o,

  /// Regions: physical byte address of the image.
  output logic [63:0]         image_base_o,
  /// Regions: bytes of the image.
  output logic [63:0]         image_bytes_o,
  /// Regions: physical byte address of the state.
  output logic [63:0]         state_base_o,
  /// Regions: bytes of the state.
  output logic [63:0]         state_bytes_o,

  /// A pass starts.
  output logic                start_o,
  /// Address of its descriptor.
  output logic [63:0]         address_o,
  /// The pass is to be ended.
  output logic                abort_o,
  /// A pass of the host interface's queue is offered.
  input  logic                queue_valid_i,
  /// It starts, as if its address had been written to the doorbell.
  output logic                queue_ready_o,
  /// Address of its descriptor; with queue_ready_o and in the cycle after.
  input  logic [63:0]         queue_address_i,
  /// The queue ends the pass.
  input  logic                queue_stop_i,
  /// Every command waits for a step.
  output logic                step_mode_o,
  /// A step.
  output logic                step_o,

  /// A pass runs.
  input  logic                busy_i,
  /// It waits for a step.
  input  logic                paused_i,
  /// Index of the next command.
  input  logic [15:0]         next_i,
  /// A pass is complete.
  input  logic                pass_done_i,
  /// A pass was stopped.
  input  logic                failed_i,
  /// Why.
  input  tt_card_pkg::error_e code_i,
  /// In which command.
  input  logic [15:0]         command_i,
  /// At which address.
  input  logic [39:0]         error_address_i,

  /// Counted: commands finished in this cycle.
  input  logic [2:0]          commands_done_i,
  /// Counted: a beat was read.
  input  logic                read_beat_i,
  /// Counted: a beat was written.
  input  logic                write_beat_i,
  /// Counted: a beat of weights was consumed.
  input  logic                weight_beat_i,
  /// Counted: why none was.
  input  tt_pkg::lost_t       lost_i,
  /// Counted: unit u has work.
  input  logic [5:0]          unit_busy_i,
  /// Counted: a command of unit u waits.
  input  logic [5:0]          unit_wait_i
);
  tt_card_regs_pkg::tt_card_regs__in_t  regs_in;
  tt_card_regs_pkg::tt_card_regs__out_t regs_out;

  tt_card_regs u_regs (
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
  logic clear, stop, start_q, queue, queue_q, irq_done_q, irq_error_q, lost_doorbell;

  assign image_base_o  = {regs_out.IMAGE_BASE_HI.value.value, regs_out.IMAGE_BASE_LO.value.value};
  assign image_bytes_o = {regs_out.IMAGE_BYTES_HI.value.value, regs_out.IMAGE_BYTES_LO.value.value};
  assign state_base_o  = {regs_out.STATE_BASE_HI.value.value, regs_out.STATE_BASE_LO.value.value};
  assign state_bytes_o = {regs_out.STATE_BYTES_HI.value.value, regs_out.STATE_BYTES_LO.value.value};
  assign address_o     = queue || queue_q ? queue_address_i : {regs_out.DOORBELL_HI.value.value,
                                                               regs_out.DOORBELL_LO.value.value};
  assign stop          = regs_out.CONTROL.stop.value;
  assign abort_o       = stop | queue_stop_i;
  assign clear         = regs_out.CONTROL.clear.value;
  assign step_mode_o   = regs_out.CONTROL.step_mode.value;
  assign step_o        = regs_out.STEP.value.swmod;
  assign queue_ready_o = ~busy_i & ~start_q;
  assign queue         = queue_valid_i & queue_ready_o;
  assign start_o       = (start_q & ~busy_i) | queue;
  assign lost_doorbell = start_q & busy_i;
  assign irq_o         = irq_done_q | irq_error_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      start_q     <= 1'b0;
      queue_q     <= 1'b0;
      irq_done_q  <= 1'b0;
      irq_error_q <= 1'b0;
    end else begin
      // The address is in its register one cycle after the write.
      start_q     <= regs_out.DOORBELL_HI.value.swmod;
      queue_q     <= queue;
      irq_done_q  <= regs_out.IRQ_STATUS.pass_done.value & regs_out.IRQ_ENABLE.pass_done.value;
      irq_error_q <= regs_out.IRQ_STATUS.error.value & regs_out.IRQ_ENABLE.error.value;
    end
  end

  // ---- in --------------------------------------------------------------------------------------
  always_comb begin
    regs_in = '0;
    regs_in.CONFIG_HASH_LO.value.next     = ConfigHash[31:0];
    regs_in.CONFIG_HASH_HI.value.next     = ConfigHash[63:32];
    regs_in.GEOMETRY.slots.next           = 8'(Slots);
    regs_in.GEOMETRY.rows.next            = 8'(Rows);
    regs_in.GEOMETRY.groups.next          = 8'(Groups);
    regs_in.GEOMETRY.lanes.next           = 8'(Lanes);
    regs_in.MEMORY.ports.next             = 8'(Ports);
    regs_in.MEMORY.port_bytes.next        = 8'(PortBytes);
    regs_in.MEMORY.page_rows.next         = 16'(PageRows);
    regs_in.LIMITS.panel_tiles.next       = 16'(PanelTiles);
    regs_in.LIMITS.candidates.next        = 16'(Candidates);
    regs_in.STATUS.busy.next              = busy_i;
    regs_in.STATUS.paused.next            = paused_i;
    regs_in.STATUS.next.next              = next_i;
    regs_in.STATUS.error.hwset            = failed_i;
    regs_in.STATUS.error.hwclr            = start_o | stop;
    regs_in.STATUS.doorbell_lost.hwset    = lost_doorbell;
    regs_in.STATUS.doorbell_lost.hwclr    = stop;
    regs_in.PASSES_DONE.value.incr        = pass_done_i;
    regs_in.ERROR_CODE.code.next          = code_i;
    regs_in.ERROR_COMMAND.index.next      = command_i;
    regs_in.ERROR_ADDRESS_LO.value.next   = error_address_i[31:0];
    regs_in.ERROR_ADDRESS_HI.value.next   = error_address_i[39:32];
    regs_in.IRQ_STATUS.pass_done.hwset    = pass_done_i;
    regs_in.IRQ_STATUS.error.hwset        = failed_i | lost_doorbell;
    regs_in.CYCLES.value.incr             = busy_i;
    regs_in.CYCLES.value.hwclr            = clear;
    regs_in.COMMANDS.value.incr           = commands_done_i != '0;
    regs_in.COMMANDS.value.incrvalue      = commands_done_i;
    regs_in.COMMANDS.value.hwclr          = clear;
    regs_in.READ_BEATS.value.incr         = read_beat_i;
    regs_in.READ_BEATS.value.hwclr        = clear;
    regs_in.WRITE_BEATS.value.incr        = write_beat_i;
    regs_in.WRITE_BEATS.value.hwclr       = clear;
    regs_in.WEIGHT_BEATS.value.incr       = weight_beat_i;
    regs_in.WEIGHT_BEATS.value.hwclr      = clear;
    regs_in.BUSY_LOAD.value.incr          = unit_busy_i[0];
    regs_in.BUSY_LOAD.value.hwclr         = clear;
    regs_in.BUSY_MULTIPLY.value.incr      = unit_busy_i[1];
    regs_in.BUSY_MULTIPLY.value.hwclr     = clear;
    regs_in.BUSY_VECTOR.value.incr        = unit_busy_i[2];
    regs_in.BUSY_VECTOR.value.hwclr       = clear;
    regs_in.BUSY_ATTENTION.value.incr     = unit_busy_i[3];
    regs_in.BUSY_ATTENTION.value.hwclr    = clear;
    regs_in.BUSY_HEAD.value.incr          = unit_busy_i[4];
    regs_in.BUSY_HEAD.value.hwclr         = clear;
    regs_in.BUSY_CHECK.value.incr         = unit_busy_i[5];
    regs_in.BUSY_CHECK.value.hwclr        = clear;
    regs_in.WAIT_LOAD.value.incr          = unit_wait_i[0];
    regs_in.WAIT_LOAD.value.hwclr         = clear;
    regs_in.WAIT_MULTIPLY.value.incr      = unit_wait_i[1];
    regs_in.WAIT_MULTIPLY.value.hwclr     = clear;
    regs_in.WAIT_VECTOR.value.incr        = unit_wait_i[2];
    regs_in.WAIT_VECTOR.value.hwclr       = clear;
    regs_in.WAIT_ATTENTION.value.incr     = unit_wait_i[3];
    regs_in.WAIT_ATTENTION.value.hwclr    = clear;
    regs_in.WAIT_HEAD.value.incr          = unit_wait_i[4];
    regs_in.WAIT_HEAD.value.hwclr         = clear;
    regs_in.WAIT_CHECK.value.incr         = unit_wait_i[5];
    regs_in.WAIT_CHECK.value.hwclr        = clear;
    regs_in.LOST_MEMORY.value.incr        = lost_i.memory;
    regs_in.LOST_MEMORY.value.hwclr       = clear;
    regs_in.LOST_TABLES.value.incr        = lost_i.tables;
    regs_in.LOST_TABLES.value.hwclr       = clear;
    regs_in.LOST_DRAIN.value.incr         = lost_i.drain;
    regs_in.LOST_DRAIN.value.hwclr        = clear;
    regs_in.LOST_RESULTS.value.incr       = lost_i.results;
    regs_in.LOST_RESULTS.value.hwclr      = clear;
    regs_in.LOST_ORDER.value.incr         = lost_i.order;
    regs_in.LOST_ORDER.value.hwclr        = clear;
  end
endmodule

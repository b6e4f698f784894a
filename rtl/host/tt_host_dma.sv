/// The queue and its copies: everything of the host interface but its registers.
module tt_host_dma #(
  /// AXI4 ports of card memory.
  parameter int unsigned Ports = 1,
  /// Bytes of a transfer of a port.
  parameter int unsigned PortBytes = 16,
  /// Physical address of card memory.
  parameter logic [63:0] MemoryBase = '0,
  /// Bytes of card memory.
  parameter logic [63:0] MemoryBytes = '0,
  /// Most that the bits of a ring may be, at most 12.
  parameter int unsigned RingBits = 10,
  /// Beats of a copy that may be on their way, a power of two, at least 32.
  parameter int unsigned CopyBeats = 512,
  /// A bus has not answered after 2 ** WatchdogBits cycles.
  parameter int unsigned WatchdogBits = 24
) (
  /// Clock.
  input  logic                         clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic                         rst_ni,
  /// The queue runs.
  input  logic                         enable_i,
  /// Entries that the host has written.
  input  logic [31:0]                  tail_i,
  /// Where the rings are.
  input  tt_host_pkg::rings_t          rings_i,
  /// The regions of card memory.
  input  tt_card_pkg::regions_t        regions_i,
  /// Bytes of the image that may be written.
  input  logic [63:0]                  load_i,
  /// Entries completed.
  output logic [31:0]                  head_o,
  /// An entry is worked on, or waits.
  output logic                         busy_o,
  /// The queue was stopped by an error.
  output logic                         stopped_o,
  /// Why.
  output tt_host_regs_pkg::host_status_e_e error_o,
  /// A pulse: vector v is to be asked for.
  output logic [1:0]                   event_o,
  /// A pulse: a completion was written.
  output logic                         completed_o,
  /// A pass is offered to the card.
  output logic                         pass_valid_o,
  /// The card begins it.
  input  logic                         pass_ready_i,
  /// Address of its descriptor; holds until its end.
  output logic [63:0]                  pass_address_o,
  /// The pass is to end.
  output logic                         pass_stop_o,
  /// It is complete.
  input  logic                         pass_done_i,
  /// It was stopped.
  input  logic                         pass_failed_i,
  /// Why.
  input  tt_card_pkg::error_e          pass_code_i,
  /// In which command.
  input  logic [15:0]                  pass_command_i,

  /// Host memory, AXI4 master, a beat wide.
  output logic                         m_host_arvalid_o,
  /// Host memory.
  input  logic                         m_host_arready_i,
  /// Host memory: byte address of the burst.
  output logic [63:0]                  m_host_araddr_o,
  /// Host memory: beats less one, 0..15.
  output logic [7:0]                   m_host_arlen_o,
  /// Host memory.
  input  logic                         m_host_rvalid_i,
  /// Host memory.
  input  logic [8*PortBytes*Ports-1:0] m_host_rdata_i,
  /// Host memory: other than OKAY stops the queue.
  input  logic [1:0]                   m_host_rresp_i,
  /// Host memory.
  output logic                         m_host_awvalid_o,
  /// Host memory.
  input  logic                         m_host_awready_i,
  /// Host memory: byte address of the burst.
  output logic [63:0]                  m_host_awaddr_o,
  /// Host memory: beats less one, 0..15.
  output logic [7:0]                   m_host_awlen_o,
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
  /// Host memory: other than OKAY stops the queue.
  input  logic [1:0]                   m_host_bresp_i,

  /// Card memory, AXI4 masters; port p has bit or field p of every vector.
  output logic [Ports-1:0]             m_axi_arvalid_o,
  /// Card memory.
  input  logic [Ports-1:0]             m_axi_arready_i,
  /// Card memory: byte address of the burst.
  output logic [64*Ports-1:0]          m_axi_araddr_o,
  /// Card memory: transfers less one, 0..15.
  output logic [8*Ports-1:0]           m_axi_arlen_o,
  /// Card memory.
  input  logic [Ports-1:0]             m_axi_rvalid_i,
  /// Card memory.
  input  logic [8*PortBytes*Ports-1:0] m_axi_rdata_i,
  /// Card memory: other than OKAY ends the copy.
  input  logic [2*Ports-1:0]           m_axi_rresp_i,
  /// Card memory.
  output logic [Ports-1:0]             m_axi_awvalid_o,
  /// Card memory.
  input  logic [Ports-1:0]             m_axi_awready_i,
  /// Card memory: byte address of the burst.
  output logic [64*Ports-1:0]          m_axi_awaddr_o,
  /// Card memory: transfers less one, 0..15.
  output logic [8*Ports-1:0]           m_axi_awlen_o,
  /// Card memory.
  output logic [Ports-1:0]             m_axi_wvalid_o,
  /// Card memory.
  input  logic [Ports-1:0]             m_axi_wready_i,
  /// Card memory.
  output logic [8*PortBytes*Ports-1:0] m_axi_wdata_o,
  /// Card memory: which bytes are written.
  output logic [PortBytes*Ports-1:0]   m_axi_wstrb_o,
  /// Card memory: last transfer of a burst.
  output logic [Ports-1:0]             m_axi_wlast_o,
  /// Card memory.
  input  logic [Ports-1:0]             m_axi_bvalid_i,
  /// Card memory: other than OKAY ends the copy.
  input  logic [2*Ports-1:0]           m_axi_bresp_i
);
  localparam int unsigned BeatBytes = Ports * PortBytes;
  localparam int unsigned Beat      = 8 * BeatBytes;
  localparam int unsigned SizeBits  = $clog2(BeatBytes);

  // ---- queue -----------------------------------------------------------------------------------
  logic                 ring_good, fetch, fetched, complete, completed, ring_error, ring_progress;
  logic                 check, checked, copy, copy_stop, copied, copy_progress;
  logic [31:0]          index, info, copy_crc;
  tt_host_pkg::entry_t  entry;
  tt_host_regs_pkg::host_status_e_e status, check_status, copy_status;

  tt_host_queue #(.WatchdogBits(WatchdogBits)) u_queue (
    .clk_i,
    .rst_ni,
    .enable_i,
    .tail_i,
    .head_o,
    .index_o       (index),
    .busy_o,
    .stopped_o,
    .error_o,
    .completed_o,
    .event_o,
    .ring_good_i   (ring_good),
    .fetch_o       (fetch),
    .fetched_i     (fetched),
    .entry_i       (entry),
    .complete_o    (complete),
    .status_o      (status),
    .info_o        (info),
    .completed_i   (completed),
    .ring_error_i  (ring_error),
    .check_o       (check),
    .checked_i     (checked),
    .check_status_i(check_status),
    .copy_o        (copy),
    .copy_stop_o   (copy_stop),
    .copied_i      (copied),
    .copy_status_i (copy_status),
    .copy_crc_i    (copy_crc),
    .progress_i    (ring_progress | copy_progress),
    .pass_valid_o,
    .pass_ready_i,
    .pass_stop_o,
    .pass_done_i,
    .pass_failed_i,
    .pass_code_i,
    .pass_command_i
  );

  assign pass_address_o = entry.card;

  // ---- rings and copies, never at the same time ------------------------------------------------
  logic                 ring_arvalid, ring_awvalid, ring_wvalid, copy_arvalid, copy_awvalid;
  logic                 copy_wvalid, copy_wlast;
  logic [63:0]          ring_araddr, ring_awaddr, copy_araddr, copy_awaddr;
  logic [7:0]           ring_arlen, copy_arlen, copy_awlen;
  logic [Beat-1:0]      ring_wdata, copy_wdata;
  logic [BeatBytes-1:0] ring_wstrb;

  tt_host_ring #(
    .BeatBytes(BeatBytes),
    .RingBits (RingBits)
  ) u_ring (
    .clk_i,
    .rst_ni,
    .rings_i,
    .tail_i,
    .head_i     (index),
    .good_o     (ring_good),
    .fetch_i    (fetch),
    .fetched_o  (fetched),
    .entry_o    (entry),
    .complete_i (complete),
    .status_i   (status),
    .info_i     (info),
    .completed_o(completed),
    .error_o    (ring_error),
    .progress_o (ring_progress),
    .arvalid_o  (ring_arvalid),
    .arready_i  (m_host_arready_i),
    .araddr_o   (ring_araddr),
    .arlen_o    (ring_arlen),
    .rvalid_i   (m_host_rvalid_i),
    .rdata_i    (m_host_rdata_i),
    .rresp_i    (m_host_rresp_i),
    .awvalid_o  (ring_awvalid),
    .awready_i  (m_host_awready_i),
    .awaddr_o   (ring_awaddr),
    .wvalid_o   (ring_wvalid),
    .wready_i   (m_host_wready_i),
    .wdata_o    (ring_wdata),
    .wstrb_o    (ring_wstrb),
    .bvalid_i   (m_host_bvalid_i),
    .bresp_i    (m_host_bresp_i)
  );

  assign m_host_arvalid_o = ring_arvalid | copy_arvalid;
  assign m_host_araddr_o  = ring_arvalid ? ring_araddr : copy_araddr;
  assign m_host_arlen_o   = ring_arvalid ? ring_arlen : copy_arlen;
  assign m_host_awvalid_o = ring_awvalid | copy_awvalid;
  assign m_host_awaddr_o  = ring_awvalid ? ring_awaddr : copy_awaddr;
  assign m_host_awlen_o   = ring_awvalid ? 8'd0 : copy_awlen;
  assign m_host_wvalid_o  = ring_wvalid | copy_wvalid;
  assign m_host_wdata_o   = ring_wvalid ? ring_wdata : copy_wdata;
  assign m_host_wstrb_o   = ring_wvalid ? ring_wstrb : '1;
  assign m_host_wlast_o   = ring_wvalid | copy_wlast;

  logic [63:0] base, bytes;

  tt_host_check #(
    .BeatBytes  (BeatBytes),
    .MemoryBase (MemoryBase),
    .MemoryBytes(MemoryBytes)
  ) u_check (
    .clk_i,
    .rst_ni,
    .start_i (check),
    .entry_i (entry),
    .regions_i,
    .load_i,
    .done_o  (checked),
    .status_o(check_status),
    .base_o  (base),
    .bytes_o (bytes)
  );

  logic            rd_valid, rd_ready, rd_data_valid, wr_valid, wr_ready, wr_data_valid;
  logic            wr_data_ready, wr_done, memory_error;
  logic [39:0]     rd_address, wr_address;
  logic [4:0]      rd_beats, wr_beats;
  logic [Beat-1:0] rd_data, wr_data;

  tt_host_copy #(
    .BeatBytes(BeatBytes),
    .Depth    (CopyBeats)
  ) u_copy (
    .clk_i,
    .rst_ni,
    .start_i        (copy),
    .to_card_i      (entry.opcode == tt_host_pkg::OpToCard),
    .host_i         (entry.host),
    .card_i         (entry.card[38:0]),
    .beats_i        (27'(entry.bytes >> SizeBits)),
    .stop_i         (copy_stop),
    .done_o         (copied),
    .status_o       (copy_status),
    .crc_o          (copy_crc),
    .progress_o     (copy_progress),
    .host_arvalid_o (copy_arvalid),
    .host_arready_i (m_host_arready_i),
    .host_araddr_o  (copy_araddr),
    .host_arlen_o   (copy_arlen),
    .host_rvalid_i  (m_host_rvalid_i),
    .host_rdata_i   (m_host_rdata_i),
    .host_rresp_i   (m_host_rresp_i),
    .host_awvalid_o (copy_awvalid),
    .host_awready_i (m_host_awready_i),
    .host_awaddr_o  (copy_awaddr),
    .host_awlen_o   (copy_awlen),
    .host_wvalid_o  (copy_wvalid),
    .host_wready_i  (m_host_wready_i),
    .host_wdata_o   (copy_wdata),
    .host_wlast_o   (copy_wlast),
    .host_bvalid_i  (m_host_bvalid_i),
    .host_bresp_i   (m_host_bresp_i),
    .rd_valid_o     (rd_valid),
    .rd_ready_i     (rd_ready),
    .rd_address_o   (rd_address),
    .rd_beats_o     (rd_beats),
    .rd_data_valid_i(rd_data_valid),
    .rd_data_i      (rd_data),
    .wr_valid_o     (wr_valid),
    .wr_ready_i     (wr_ready),
    .wr_address_o   (wr_address),
    .wr_beats_o     (wr_beats),
    .wr_data_valid_o(wr_data_valid),
    .wr_data_ready_i(wr_data_ready),
    .wr_data_o      (wr_data),
    .wr_done_i      (wr_done),
    .memory_error_i (memory_error)
  );

  // ---- card memory -----------------------------------------------------------------------------
  // Apart from that of the card, so that a pass that fails takes no copy with it. The region of the
  // copy is the only one, as one that may be written: it checks once more where copies go.
  logic [3*Ports-1:0]    arsize, awsize;
  logic [2*Ports-1:0]    arburst, awburst;
  logic [Ports-1:0]      rready, bready;
  logic                  read_beat, write_beat, read_wait, write_wait, idle;
  logic [39:0]           error_address;
  tt_memory_pkg::error_e error_kind;

  tt_memory #(
    .ReadClients (1),
    .WriteClients(1),
    .Stream      (1),
    .Ports       (Ports),
    .PortBytes   (PortBytes)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .image_base_i   ('0),
    .image_bytes_i  ('0),
    .state_base_i   (base),
    .state_bytes_i  (bytes),
    .halt_i         (1'b0),
    .rd_valid_i     (rd_valid),
    .rd_ready_o     (rd_ready),
    .rd_address_i   (rd_address),
    .rd_beats_i     (rd_beats),
    .rd_data_valid_o(rd_data_valid),
    .rd_data_o      (rd_data),
    .wr_valid_i     (wr_valid),
    .wr_ready_o     (wr_ready),
    .wr_address_i   (wr_address),
    .wr_beats_i     (wr_beats),
    .wr_data_valid_i(wr_data_valid),
    .wr_data_ready_o(wr_data_ready),
    .wr_data_i      (wr_data),
    .wr_strobe_i    ('1),
    .wr_done_o      (wr_done),
    .m_axi_arvalid_o,
    .m_axi_arready_i,
    .m_axi_araddr_o,
    .m_axi_arlen_o,
    .m_axi_arsize_o (arsize),
    .m_axi_arburst_o(arburst),
    .m_axi_rvalid_i,
    .m_axi_rready_o (rready),
    .m_axi_rdata_i,
    .m_axi_rresp_i,
    .m_axi_rlast_i  ('0),
    .m_axi_awvalid_o,
    .m_axi_awready_i,
    .m_axi_awaddr_o,
    .m_axi_awlen_o,
    .m_axi_awsize_o (awsize),
    .m_axi_awburst_o(awburst),
    .m_axi_wvalid_o,
    .m_axi_wready_i,
    .m_axi_wdata_o,
    .m_axi_wstrb_o,
    .m_axi_wlast_o,
    .m_axi_bvalid_i,
    .m_axi_bready_o (bready),
    .m_axi_bresp_i,
    .error_o        (memory_error),
    .error_kind_o   (error_kind),
    .error_address_o(error_address),
    .read_beat_o    (read_beat),
    .write_beat_o   (write_beat),
    .read_wait_o    (read_wait),
    .write_wait_o   (write_wait),
    .idle_o         (idle)
  );

  logic unused;
  assign unused = ^{arsize, awsize, arburst, awburst, rready, bready, read_beat, write_beat,
                    read_wait, write_wait, idle, error_address, error_kind};
endmodule

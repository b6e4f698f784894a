/// The memory system: read and write clients of the card on one side, AXI4 ports on the other.
///
/// A client's address is a byte offset in the image (bit 39 clear, read only) or in the state
/// (bit 39 set). A beat is spread over all ports: in a block of 16 beats, port p holds its part of
/// all 16 beats contiguous, so a burst is one INCR burst of as many transfers on every port, and
/// none crosses 4 KiB. An access that is not allowed is reported and answered here: reads by
/// zeros, writes by nothing but their answer. Reads and writes are not ordered with each other;
/// wr_done_o says that the burst is in memory.
module tt_memory #(
  /// Read clients.
  parameter int unsigned ReadClients = 7,
  /// Write clients.
  parameter int unsigned WriteClients = 3,
  /// The read client that is the weight stream and has at least half of the bursts while it asks;
  /// ReadClients: none is.
  parameter int unsigned Stream = 0,
  /// AXI4 ports, a power of two.
  parameter int unsigned Ports = 4,
  /// Bytes of a transfer of a port, a power of two.
  parameter int unsigned PortBytes = 16,
  /// Beats of reads that may be on their way, a power of two, at least 16.
  parameter int unsigned ReadDepth = 128,
  /// Bytes of a beat.
  localparam int unsigned BeatBytes = Ports * PortBytes
) (
  /// Clock.
  input  logic                                clk_i,
  /// Asynchronous reset, active low: nothing in flight. Reset the memory behind m_axi with it.
  input  logic                                rst_ni,
  /// Physical byte address of the image; rounded down to a block of 16 beats.
  input  logic [63:0]                         image_base_i,
  /// Bytes of the image; rounded down to whole blocks.
  input  logic [63:0]                         image_bytes_i,
  /// Physical byte address of the state; rounded down to a block.
  input  logic [63:0]                         state_base_i,
  /// Bytes of the state; rounded down to whole blocks.
  input  logic [63:0]                         state_bytes_i,
  /// New bursts do not go to memory: reads are answered by zeros, writes dropped and answered.
  input  logic                                halt_i,

  /// Read clients: requests, hold until taken.
  input  logic [ReadClients-1:0]              rd_valid_i,
  /// Read clients: the request is taken.
  output logic [ReadClients-1:0]              rd_ready_o,
  /// Read clients: byte addresses, multiples of BeatBytes.
  input  logic [40*ReadClients-1:0]           rd_address_i,
  /// Read clients: beats, 1..16, within a block of 16 beats.
  input  logic [5*ReadClients-1:0]            rd_beats_i,
  /// Read clients: a beat for one of them, in the order of its requests; it must take it.
  output logic [ReadClients-1:0]              rd_data_valid_o,
  /// Read clients: the beat, the same for all.
  output logic [8*BeatBytes-1:0]              rd_data_o,

  /// Write clients: requests, hold until taken. The data must come whatever other clients do.
  input  logic [WriteClients-1:0]             wr_valid_i,
  /// Write clients: the request is taken.
  output logic [WriteClients-1:0]             wr_ready_o,
  /// Write clients: byte addresses, multiples of BeatBytes.
  input  logic [40*WriteClients-1:0]          wr_address_i,
  /// Write clients: beats, 1..16, within a block of 16 beats.
  input  logic [5*WriteClients-1:0]           wr_beats_i,
  /// Write clients: a beat of their oldest burst whose data are not complete.
  input  logic [WriteClients-1:0]             wr_data_valid_i,
  /// Write clients: the beat is taken.
  output logic [WriteClients-1:0]             wr_data_ready_o,
  /// Write clients: the beats.
  input  logic [8*BeatBytes*WriteClients-1:0] wr_data_i,
  /// Write clients: which bytes are written.
  input  logic [BeatBytes*WriteClients-1:0]   wr_strobe_i,
  /// Write clients: a pulse, the oldest burst is in memory.
  output logic [WriteClients-1:0]             wr_done_o,

  /// AXI4 read address channels; port p has bit or field p of every vector.
  output logic [Ports-1:0]                    m_axi_arvalid_o,
  /// AXI4 read address channels.
  input  logic [Ports-1:0]                    m_axi_arready_i,
  /// Byte addresses of the bursts.
  output logic [64*Ports-1:0]                 m_axi_araddr_o,
  /// Transfers less one, 0..15.
  output logic [8*Ports-1:0]                  m_axi_arlen_o,
  /// Constant: PortBytes a transfer.
  output logic [3*Ports-1:0]                  m_axi_arsize_o,
  /// Constant: INCR.
  output logic [2*Ports-1:0]                  m_axi_arburst_o,
  /// AXI4 read data channels.
  input  logic [Ports-1:0]                    m_axi_rvalid_i,
  /// Constant: always ready.
  output logic [Ports-1:0]                    m_axi_rready_o,
  /// Data.
  input  logic [8*PortBytes*Ports-1:0]        m_axi_rdata_i,
  /// Responses; other than OKAY is an error, the data are used as they come.
  input  logic [2*Ports-1:0]                  m_axi_rresp_i,
  /// Not needed.
  input  logic [Ports-1:0]                    m_axi_rlast_i,
  /// AXI4 write address channels.
  output logic [Ports-1:0]                    m_axi_awvalid_o,
  /// AXI4 write address channels.
  input  logic [Ports-1:0]                    m_axi_awready_i,
  /// Byte addresses of the bursts.
  output logic [64*Ports-1:0]                 m_axi_awaddr_o,
  /// Transfers less one, 0..15.
  output logic [8*Ports-1:0]                  m_axi_awlen_o,
  /// Constant: PortBytes a transfer.
  output logic [3*Ports-1:0]                  m_axi_awsize_o,
  /// Constant: INCR.
  output logic [2*Ports-1:0]                  m_axi_awburst_o,
  /// AXI4 write data channels.
  output logic [Ports-1:0]                    m_axi_wvalid_o,
  /// AXI4 write data channels.
  input  logic [Ports-1:0]                    m_axi_wready_i,
  /// Data.
  output logic [8*PortBytes*Ports-1:0]        m_axi_wdata_o,
  /// Which bytes are written.
  output logic [PortBytes*Ports-1:0]          m_axi_wstrb_o,
  /// Last transfer of a burst.
  output logic [Ports-1:0]                    m_axi_wlast_o,
  /// AXI4 write responses.
  input  logic [Ports-1:0]                    m_axi_bvalid_i,
  /// Constant: always ready.
  output logic [Ports-1:0]                    m_axi_bready_o,
  /// Responses; other than OKAY is an error.
  input  logic [2*Ports-1:0]                  m_axi_bresp_i,

  /// A pulse: an error. Of several in a cycle one is reported.
  output logic                                error_o,
  /// What it was.
  output tt_memory_pkg::error_e               error_kind_o,
  /// The address of the burst, as its client gave it.
  output logic [39:0]                         error_address_o,
  /// A pulse for each beat read from memory.
  output logic                                read_beat_o,
  /// A pulse for each beat written to memory.
  output logic                                write_beat_o,
  /// A read client waits for its request to be taken.
  output logic                                read_wait_o,
  /// A write client waits for its request or for a beat to be taken.
  output logic                                write_wait_o,
  /// Nothing in flight.
  output logic                                idle_o
);
  if (Ports < 1 || 2 ** $clog2(Ports) != Ports || 2 ** $clog2(PortBytes) != PortBytes
      || BeatBytes > 256) begin : gen_bad_ports
    $fatal(1, "tt_memory: Ports and PortBytes must be powers of two, a beat at most 256 bytes");
  end
  if (ReadDepth < 16 || 2 ** $clog2(ReadDepth) != ReadDepth) begin : gen_bad_depth
    $fatal(1, "tt_memory: ReadDepth must be a power of two and at least 16");
  end

  tt_memory_pkg::error_e read_error, write_error;
  logic [39:0]           read_address, write_address, bad_read_address, bad_write_address;
  logic                  bad_read, bad_write, read_idle, write_idle;

  tt_memory_read #(
    .Clients  (ReadClients),
    .Stream   (Stream),
    .Ports    (Ports),
    .PortBytes(PortBytes),
    .Depth    (ReadDepth)
  ) u_read (
    .clk_i,
    .rst_ni,
    .image_base_i,
    .image_bytes_i,
    .state_base_i,
    .state_bytes_i,
    .halt_i,
    .rd_valid_i,
    .rd_ready_o,
    .rd_address_i,
    .rd_beats_i,
    .rd_data_valid_o,
    .rd_data_o,
    .m_axi_arvalid_o,
    .m_axi_arready_i,
    .m_axi_araddr_o,
    .m_axi_arlen_o,
    .m_axi_rvalid_i,
    .m_axi_rdata_i,
    .m_axi_rresp_i,
    .error_o           (read_error),
    .error_address_o   (read_address),
    .response_error_o  (bad_read),
    .response_address_o(bad_read_address),
    .beat_o            (read_beat_o),
    .idle_o            (read_idle)
  );

  tt_memory_write #(
    .Clients  (WriteClients),
    .Ports    (Ports),
    .PortBytes(PortBytes)
  ) u_write (
    .clk_i,
    .rst_ni,
    .state_base_i,
    .state_bytes_i,
    .halt_i,
    .wr_valid_i,
    .wr_ready_o,
    .wr_address_i,
    .wr_beats_i,
    .wr_data_valid_i,
    .wr_data_ready_o,
    .wr_data_i,
    .wr_strobe_i,
    .wr_done_o,
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
    .m_axi_bresp_i,
    .error_o           (write_error),
    .error_address_o   (write_address),
    .response_error_o  (bad_write),
    .response_address_o(bad_write_address),
    .beat_o            (write_beat_o),
    .idle_o            (write_idle)
  );

  assign m_axi_arsize_o  = {Ports{3'($clog2(PortBytes))}};
  assign m_axi_arburst_o = {Ports{2'b01}};
  assign m_axi_awsize_o  = {Ports{3'($clog2(PortBytes))}};
  assign m_axi_awburst_o = {Ports{2'b01}};
  assign m_axi_rready_o  = '1;
  assign m_axi_bready_o  = '1;

  assign read_wait_o  = (rd_valid_i & ~rd_ready_o) != '0;
  assign write_wait_o = ((wr_valid_i & ~wr_ready_o) | (wr_data_valid_i & ~wr_data_ready_o)) != '0;
  assign idle_o       = read_idle & write_idle;

  // ---- errors ----------------------------------------------------------------------------------
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      error_o         <= 1'b0;
      error_kind_o    <= tt_memory_pkg::ErrorNone;
      error_address_o <= '0;
    end else begin
      error_o <= 1'b1;
      if (read_error != tt_memory_pkg::ErrorNone) begin
        error_kind_o    <= read_error;
        error_address_o <= read_address;
      end else if (write_error != tt_memory_pkg::ErrorNone) begin
        error_kind_o    <= write_error;
        error_address_o <= write_address;
      end else if (bad_read) begin
        error_kind_o    <= tt_memory_pkg::ErrorReadResponse;
        error_address_o <= bad_read_address;
      end else if (bad_write) begin
        error_kind_o    <= tt_memory_pkg::ErrorWriteResponse;
        error_address_o <= bad_write_address;
      end else begin
        error_o <= 1'b0;
      end
    end
  end

  logic unused;
  assign unused = ^m_axi_rlast_i;
endmodule

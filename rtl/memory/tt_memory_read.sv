/// Reads of several clients from several AXI4 ports: every beat comes from all ports at once.
///
/// A burst goes to all ports; each has a FIFO for its part of the beats, so ports may run apart.
/// A burst is sent only when the FIFOs have room for all of it, so R is always ready and no port
/// can hold up another. The bursts in flight, whoever asked, are answered in the order in which
/// they were taken; those that were not sent, by zeros.
module tt_memory_read #(
  /// Read clients.
  parameter int unsigned Clients = 4,
  /// The client that is the stream; Clients: none is.
  parameter int unsigned Stream = Clients,
  /// AXI4 ports, a power of two.
  parameter int unsigned Ports = 4,
  /// Bytes of a transfer of a port, a power of two.
  parameter int unsigned PortBytes = 16,
  /// Beats that may be on their way, a power of two, at least 16.
  parameter int unsigned Depth = 128,
  /// Bursts that may be on their way, a power of two.
  parameter int unsigned Bursts = 32,
  /// Bytes of a beat.
  localparam int unsigned BeatBytes = Ports * PortBytes
) (
  /// Clock.
  input  logic                         clk_i,
  /// Asynchronous reset, active low: nothing in flight.
  input  logic                         rst_ni,
  /// Physical byte address of the image.
  input  logic [63:0]                  image_base_i,
  /// Bytes of the image.
  input  logic [63:0]                  image_bytes_i,
  /// Physical byte address of the state.
  input  logic [63:0]                  state_base_i,
  /// Bytes of the state.
  input  logic [63:0]                  state_bytes_i,
  /// New bursts are answered by zeros.
  input  logic                         halt_i,
  /// Requests.
  input  logic [Clients-1:0]           rd_valid_i,
  /// A request is taken.
  output logic [Clients-1:0]           rd_ready_o,
  /// Byte addresses.
  input  logic [40*Clients-1:0]        rd_address_i,
  /// Beats, 1..16.
  input  logic [5*Clients-1:0]         rd_beats_i,
  /// A beat for the client whose bit is set.
  output logic [Clients-1:0]           rd_data_valid_o,
  /// The beat, the same for all.
  output logic [8*BeatBytes-1:0]       rd_data_o,
  /// AXI4 read address channels.
  output logic [Ports-1:0]             m_axi_arvalid_o,
  /// AXI4 read address channels.
  input  logic [Ports-1:0]             m_axi_arready_i,
  /// Byte addresses.
  output logic [64*Ports-1:0]          m_axi_araddr_o,
  /// Transfers less one, 0..15.
  output logic [8*Ports-1:0]           m_axi_arlen_o,
  /// AXI4 read data channels.
  input  logic [Ports-1:0]             m_axi_rvalid_i,
  /// Data.
  input  logic [8*PortBytes*Ports-1:0] m_axi_rdata_i,
  /// Responses.
  input  logic [2*Ports-1:0]           m_axi_rresp_i,
  /// A pulse: why a burst was refused, or ErrorNone.
  output tt_memory_pkg::error_e        error_o,
  /// The burst.
  output logic [39:0]                  error_address_o,
  /// A beat of this cycle's output was answered by other than OKAY.
  output logic                         response_error_o,
  /// Its burst.
  output logic [39:0]                  response_address_o,
  /// A beat came from memory.
  output logic                         beat_o,
  /// Nothing in flight.
  output logic                         idle_o
);
  localparam int unsigned PortSize  = $clog2(PortBytes);
  localparam int unsigned BlockBits = $clog2(BeatBytes) + 4;
  localparam int unsigned SizeBits  = BlockBits - 4;
  localparam int unsigned RoomBits  = $clog2(Depth + 1);
  localparam int unsigned BurstBits = $clog2(Bursts + 3);

  // ---- requests --------------------------------------------------------------------------------
  logic                  request_valid, request_ready, request_send, sent, go;
  logic [Clients-1:0]    request_client;
  logic [39:0]           request_address;
  logic [63-BlockBits:0] request_block;
  logic [4:0]            request_beats;

  tt_memory_request #(
    .Clients  (Clients),
    .BeatBytes(BeatBytes),
    .Stream   (Stream)
  ) u_request (
    .clk_i,
    .rst_ni,
    .image_base_i,
    .image_bytes_i,
    .state_base_i,
    .state_bytes_i,
    .halt_i,
    .valid_i  (rd_valid_i),
    .ready_o  (rd_ready_o),
    .address_i(rd_address_i),
    .beats_i  (rd_beats_i),
    .valid_o  (request_valid),
    .ready_i  (request_ready),
    .client_o (request_client),
    .address_o(request_address),
    .block_o  (request_block),
    .beats_o  (request_beats),
    .send_o   (request_send),
    .error_o
  );
  assign error_address_o = request_address;

  // ---- one burst to all ports ------------------------------------------------------------------
  logic [Ports-1:0]      arvalid_q;
  logic [63-BlockBits:0] block_q;
  logic [3:0]            index_q, length_q;
  logic [RoomBits-1:0]   room_q;  // places of the FIFOs that no beat has and no burst claims
  logic                  order_ready, pop;

  assign sent          = (arvalid_q & ~m_axi_arready_i) == '0;
  assign request_ready = order_ready
                         & (~request_send | (sent & 32'(room_q) >= 32'(request_beats)));
  assign go            = request_valid & request_ready;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arvalid_q <= '0;
      room_q    <= RoomBits'(Depth);
    end else begin
      if (go && request_send) arvalid_q <= '1;
      else arvalid_q <= arvalid_q & ~m_axi_arready_i;
      room_q <= room_q + RoomBits'(pop) - (go && request_send ? RoomBits'(request_beats) : '0);
    end
  end

  always_ff @(posedge clk_i) begin
    if (go && request_send) begin
      block_q  <= request_block;
      index_q  <= request_address[SizeBits +: 4];
      length_q <= 4'(request_beats - 1'b1);
    end
  end

  for (genvar p = 0; p < Ports; p++) begin : gen_address
    assign m_axi_arvalid_o[p]        = arvalid_q[p];
    assign m_axi_araddr_o[64*p+:64]  = {block_q, BlockBits'(16 * PortBytes * p)}
                                       | (64'(index_q) << PortSize);
    assign m_axi_arlen_o[8*p+:8]     = 8'(length_q);
  end

  // ---- the order of answers --------------------------------------------------------------------
  logic                 head_valid, head_send, last, deliver;
  logic [Clients-1:0]   head_client;
  logic [4:0]           head_beats, done_q;
  logic [BurstBits-1:0] bursts_q;  // taken and not answered

  tt_fifo #(.Width(Clients + 46), .Depth(Bursts)) u_order (
    .clk_i,
    .rst_ni,
    .valid_i(go),
    .ready_o(order_ready),
    .data_i ({request_client, request_address, request_beats, request_send}),
    .valid_o(head_valid),
    .ready_i(deliver & last),
    .data_o ({head_client, response_address_o, head_beats, head_send})
  );

  // ---- beats -----------------------------------------------------------------------------------
  logic [Ports-1:0]       part_valid, part_ready, part_error;
  logic [8*BeatBytes-1:0] part_data;

  for (genvar p = 0; p < Ports; p++) begin : gen_part
    tt_fifo #(
      .Width   (8 * PortBytes + 1),
      .Depth   (Depth),
      .RamStyle("block")
    ) u_part (
      .clk_i,
      .rst_ni,
      .valid_i(m_axi_rvalid_i[p]),
      .ready_o(part_ready[p]),
      .data_i ({m_axi_rresp_i[2*p +: 2] != 2'b00, m_axi_rdata_i[8*PortBytes*p +: 8*PortBytes]}),
      .valid_o(part_valid[p]),
      .ready_i(pop),
      .data_o ({part_error[p], part_data[8*PortBytes*p +: 8*PortBytes]})
    );
  end

  assign deliver          = head_valid & (~head_send | part_valid == '1);
  assign last             = done_q == head_beats - 1'b1;
  assign pop              = deliver & head_send;
  assign beat_o           = pop;
  assign response_error_o = pop & (part_error != '0);
  assign idle_o           = bursts_q == '0 && !request_valid && rd_data_valid_o == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_data_valid_o <= '0;
      done_q          <= '0;
      bursts_q        <= '0;
    end else begin
      rd_data_valid_o <= deliver ? head_client : '0;
      if (deliver) done_q <= last ? '0 : done_q + 1'b1;
      bursts_q <= bursts_q + BurstBits'(go) - BurstBits'(deliver & last);
    end
  end

  always_ff @(posedge clk_i) begin
    if (deliver) begin
      if (head_send) rd_data_o <= part_data;
      else rd_data_o <= '0;
    end
  end

  logic unused;
  assign unused = ^part_ready;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert ((m_axi_rvalid_i & ~part_ready) == '0);
    end
  end
`endif
endmodule

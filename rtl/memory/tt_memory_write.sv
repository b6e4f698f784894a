/// Writes of several clients to several AXI4 ports: every beat goes to all ports at once.
///
/// One burst after the other takes its data; up to Bursts of them wait for their answers. A burst
/// is answered to its client when every port has answered it, in the order in which the bursts were
/// taken. The data of a burst that is not sent are taken and dropped, and it is answered too.
module tt_memory_write #(
  /// Write clients.
  parameter int unsigned Clients = 2,
  /// AXI4 ports, a power of two.
  parameter int unsigned Ports = 4,
  /// Bytes of a transfer of a port, a power of two.
  parameter int unsigned PortBytes = 16,
  /// Bursts that may wait for their answers, a power of two.
  parameter int unsigned Bursts = 16,
  /// Bytes of a beat.
  localparam int unsigned BeatBytes = Ports * PortBytes
) (
  /// Clock.
  input  logic                           clk_i,
  /// Asynchronous reset, active low: nothing in flight.
  input  logic                           rst_ni,
  /// Physical byte address of the state.
  input  logic [63:0]                    state_base_i,
  /// Bytes of the state.
  input  logic [63:0]                    state_bytes_i,
  /// New bursts are dropped.
  input  logic                           halt_i,
  /// Requests.
  input  logic [Clients-1:0]             wr_valid_i,
  /// A request is taken.
  output logic [Clients-1:0]             wr_ready_o,
  /// Byte addresses.
  input  logic [40*Clients-1:0]          wr_address_i,
  /// Beats, 1..16.
  input  logic [5*Clients-1:0]           wr_beats_i,
  /// Beats are offered, in the order of the client's requests.
  input  logic [Clients-1:0]             wr_data_valid_i,
  /// A beat is taken.
  output logic [Clients-1:0]             wr_data_ready_o,
  /// The beats.
  input  logic [8*BeatBytes*Clients-1:0] wr_data_i,
  /// Which bytes are written.
  input  logic [BeatBytes*Clients-1:0]   wr_strobe_i,
  /// A pulse: the client's oldest burst is in memory.
  output logic [Clients-1:0]             wr_done_o,
  /// AXI4 write address channels.
  output logic [Ports-1:0]               m_axi_awvalid_o,
  /// AXI4 write address channels.
  input  logic [Ports-1:0]               m_axi_awready_i,
  /// Byte addresses.
  output logic [64*Ports-1:0]            m_axi_awaddr_o,
  /// Transfers less one, 0..15.
  output logic [8*Ports-1:0]             m_axi_awlen_o,
  /// AXI4 write data channels.
  output logic [Ports-1:0]               m_axi_wvalid_o,
  /// AXI4 write data channels.
  input  logic [Ports-1:0]               m_axi_wready_i,
  /// Data.
  output logic [8*PortBytes*Ports-1:0]   m_axi_wdata_o,
  /// Which bytes are written.
  output logic [PortBytes*Ports-1:0]     m_axi_wstrb_o,
  /// Last transfer of a burst.
  output logic [Ports-1:0]               m_axi_wlast_o,
  /// AXI4 write responses.
  input  logic [Ports-1:0]               m_axi_bvalid_i,
  /// Responses.
  input  logic [2*Ports-1:0]             m_axi_bresp_i,
  /// A pulse: why a burst was refused, or ErrorNone.
  output tt_memory_pkg::error_e          error_o,
  /// The burst.
  output logic [39:0]                    error_address_o,
  /// A burst was answered by other than OKAY.
  output logic                           response_error_o,
  /// The burst.
  output logic [39:0]                    response_address_o,
  /// A beat goes to memory.
  output logic                           beat_o,
  /// Nothing in flight.
  output logic                           idle_o
);
  localparam int unsigned PortSize  = $clog2(PortBytes);
  localparam int unsigned BlockBits = $clog2(BeatBytes) + 4;
  localparam int unsigned SizeBits  = BlockBits - 4;
  localparam int unsigned BurstBits = $clog2(Bursts + 3);

  // ---- requests --------------------------------------------------------------------------------
  logic                  request_valid, request_ready, request_send, go;
  logic [Clients-1:0]    request_client;
  logic [39:0]           request_address;
  logic [63-BlockBits:0] request_block;
  logic [4:0]            request_beats;

  tt_memory_request #(
    .Clients  (Clients),
    .BeatBytes(BeatBytes),
    .Write    (1'b1)
  ) u_request (
    .clk_i,
    .rst_ni,
    .image_base_i ('0),
    .image_bytes_i('0),
    .state_base_i,
    .state_bytes_i,
    .halt_i,
    .valid_i      (wr_valid_i),
    .ready_o      (wr_ready_o),
    .address_i    (wr_address_i),
    .beats_i      (wr_beats_i),
    .valid_o      (request_valid),
    .ready_i      (request_ready),
    .client_o     (request_client),
    .address_o    (request_address),
    .block_o      (request_block),
    .beats_o      (request_beats),
    .send_o       (request_send),
    .error_o
  );
  assign error_address_o = request_address;

  // ---- the burst that takes its data -----------------------------------------------------------
  logic                   active_q, send_q, order_ready, last, move, finish, sent, w_free;
  logic [Clients-1:0]     client_q;
  logic [4:0]             left_q;
  logic [39:0]            address_q;
  logic [Ports-1:0]       awvalid_q, wvalid_q;
  logic [63-BlockBits:0]  block_q;
  logic [3:0]             index_q, length_q;
  logic [8*BeatBytes-1:0] data, data_q;
  logic [BeatBytes-1:0]   strobe, strobe_q;
  logic                   last_q;

  assign sent          = (awvalid_q & ~m_axi_awready_i) == '0;
  assign w_free        = (wvalid_q & ~m_axi_wready_i) == '0;
  assign last          = left_q == 5'd1;
  assign move          = active_q & (wr_data_valid_i & client_q) != '0 & (w_free | ~send_q)
                         & (order_ready | ~last);
  assign finish        = move & last;
  assign request_ready = (~active_q | finish) & (sent | ~request_send);
  assign go            = request_valid & request_ready;
  assign beat_o        = move & send_q;

  assign wr_data_ready_o = active_q && (w_free || !send_q) && (order_ready || !last)
                           ? client_q : '0;

  always_comb begin
    data   = '0;
    strobe = '0;
    for (int unsigned c = 0; c < Clients; c++) begin
      data   |= wr_data_i[8*BeatBytes*c +: 8*BeatBytes] & {8*BeatBytes{client_q[c]}};
      strobe |= wr_strobe_i[BeatBytes*c +: BeatBytes] & {BeatBytes{client_q[c]}};
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q  <= 1'b0;
      awvalid_q <= '0;
      wvalid_q  <= '0;
    end else begin
      active_q <= go | (active_q & ~finish);
      if (go && request_send) awvalid_q <= '1;
      else awvalid_q <= awvalid_q & ~m_axi_awready_i;
      if (beat_o) wvalid_q <= '1;
      else wvalid_q <= wvalid_q & ~m_axi_wready_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (go) begin
      client_q  <= request_client;
      send_q    <= request_send;
      address_q <= request_address;
      left_q    <= request_beats;
    end else if (move) begin
      left_q <= left_q - 1'b1;
    end
    if (go && request_send) begin
      block_q  <= request_block;
      index_q  <= request_address[SizeBits +: 4];
      length_q <= 4'(request_beats - 1'b1);
    end
    if (beat_o) begin
      data_q   <= data;
      strobe_q <= strobe;
      last_q   <= last;
    end
  end

  for (genvar p = 0; p < Ports; p++) begin : gen_port
    assign m_axi_awaddr_o[64*p+:64] = {block_q, BlockBits'(16 * PortBytes * p)}
                                      | (64'(index_q) << PortSize);
    assign m_axi_awlen_o[8*p+:8]    = 8'(length_q);
  end
  assign m_axi_awvalid_o = awvalid_q;
  assign m_axi_wvalid_o  = wvalid_q;
  assign m_axi_wdata_o   = data_q;
  assign m_axi_wstrb_o   = strobe_q;
  assign m_axi_wlast_o   = {Ports{last_q}};

  // ---- answers ---------------------------------------------------------------------------------
  logic                 head_valid, head_send, answer;
  logic [Clients-1:0]   head_client;
  logic [Ports-1:0]     response_valid, response_ready, response_bad;
  logic [BurstBits-1:0] bursts_q;  // taken and not answered

  tt_fifo #(.Width(Clients + 41), .Depth(Bursts)) u_order (
    .clk_i,
    .rst_ni,
    .valid_i(finish),
    .ready_o(order_ready),
    .data_i ({client_q, address_q, send_q}),
    .valid_o(head_valid),
    .ready_i(answer),
    .data_o ({head_client, response_address_o, head_send})
  );

  for (genvar p = 0; p < Ports; p++) begin : gen_response
    tt_fifo #(.Width(1), .Depth(2 * Bursts)) u_responses (
      .clk_i,
      .rst_ni,
      .valid_i(m_axi_bvalid_i[p]),
      .ready_o(response_ready[p]),
      .data_i (m_axi_bresp_i[2*p +: 2] != 2'b00),
      .valid_o(response_valid[p]),
      .ready_i(answer & head_send),
      .data_o (response_bad[p])
    );
  end

  assign answer           = head_valid & (~head_send | response_valid == '1);
  assign response_error_o = answer & head_send & (response_bad != '0);
  assign idle_o           = bursts_q == '0 && !request_valid && wr_done_o == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_done_o <= '0;
      bursts_q  <= '0;
    end else begin
      wr_done_o <= answer ? head_client : '0;
      bursts_q  <= bursts_q + BurstBits'(go) - BurstBits'(answer);
    end
  end

  logic unused;
  assign unused = ^response_ready;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert ((m_axi_bvalid_i & ~response_ready) == '0);
    end
  end
`endif
endmodule

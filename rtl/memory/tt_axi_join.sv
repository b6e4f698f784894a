/// Two masters in front of one memory: AXI4 ports without identifiers, answers in order.
///
/// A master asks all ports of the memory at once, as tt_memory does. The masters take turns, burst by
/// burst; requests wait in a register for a cycle, data and answers pass through. All ports see the
/// same order, so no master can hold up another whose data are at hand.
module tt_axi_join #(
  /// AXI4 ports of the memory.
  parameter int unsigned Ports = 1,
  /// Bytes of a transfer of a port.
  parameter int unsigned PortBytes = 16,
  /// Read bursts that may be on their way, of both masters.
  parameter int unsigned ReadBursts = 64,
  /// Write bursts that may be on their way, of both masters.
  parameter int unsigned WriteBursts = 32
) (
  /// Clock.
  input  logic                           clk_i,
  /// Asynchronous reset, active low: nothing in flight. Reset the memory behind m_axi with it.
  input  logic                           rst_ni,

  /// Masters: port p of master m has bit or field m * Ports + p. Read address.
  input  logic [2*Ports-1:0]             s_axi_arvalid_i,
  /// Masters: taken, on all ports together.
  output logic [2*Ports-1:0]             s_axi_arready_o,
  /// Masters.
  input  logic [128*Ports-1:0]           s_axi_araddr_i,
  /// Masters.
  input  logic [16*Ports-1:0]            s_axi_arlen_i,
  /// Masters: they must take it. The data are those of m_axi_rdata_i for both.
  output logic [2*Ports-1:0]             s_axi_rvalid_o,
  /// Masters: write address.
  input  logic [2*Ports-1:0]             s_axi_awvalid_i,
  /// Masters: taken, on all ports together.
  output logic [2*Ports-1:0]             s_axi_awready_o,
  /// Masters.
  input  logic [128*Ports-1:0]           s_axi_awaddr_i,
  /// Masters.
  input  logic [16*Ports-1:0]            s_axi_awlen_i,
  /// Masters: write data; taken when their burst's turn has come.
  input  logic [2*Ports-1:0]             s_axi_wvalid_i,
  /// Masters.
  output logic [2*Ports-1:0]             s_axi_wready_o,
  /// Masters.
  input  logic [16*PortBytes*Ports-1:0]  s_axi_wdata_i,
  /// Masters.
  input  logic [2*PortBytes*Ports-1:0]   s_axi_wstrb_i,
  /// Masters.
  input  logic [2*Ports-1:0]             s_axi_wlast_i,
  /// Masters: they must take it. The answer is that of m_axi_bresp_i for both.
  output logic [2*Ports-1:0]             s_axi_bvalid_o,

  /// Memory: read address; port p has bit or field p.
  output logic [Ports-1:0]               m_axi_arvalid_o,
  /// Memory.
  input  logic [Ports-1:0]               m_axi_arready_i,
  /// Memory.
  output logic [64*Ports-1:0]            m_axi_araddr_o,
  /// Memory.
  output logic [8*Ports-1:0]             m_axi_arlen_o,
  /// Memory: read data.
  input  logic [Ports-1:0]               m_axi_rvalid_i,
  /// Memory: high while a burst is on its way.
  output logic [Ports-1:0]               m_axi_rready_o,
  /// Memory.
  input  logic [Ports-1:0]               m_axi_rlast_i,
  /// Memory: write address.
  output logic [Ports-1:0]               m_axi_awvalid_o,
  /// Memory.
  input  logic [Ports-1:0]               m_axi_awready_i,
  /// Memory.
  output logic [64*Ports-1:0]            m_axi_awaddr_o,
  /// Memory.
  output logic [8*Ports-1:0]             m_axi_awlen_o,
  /// Memory: write data.
  output logic [Ports-1:0]               m_axi_wvalid_o,
  /// Memory.
  input  logic [Ports-1:0]               m_axi_wready_i,
  /// Memory.
  output logic [8*PortBytes*Ports-1:0]   m_axi_wdata_o,
  /// Memory.
  output logic [PortBytes*Ports-1:0]     m_axi_wstrb_o,
  /// Memory.
  output logic [Ports-1:0]               m_axi_wlast_o,
  /// Memory: write answers.
  input  logic [Ports-1:0]               m_axi_bvalid_i,
  /// Memory: high while a burst is on its way.
  output logic [Ports-1:0]               m_axi_bready_o
);
  localparam int unsigned Part = 8 * PortBytes * Ports;

  // ---- requests --------------------------------------------------------------------------------
  logic [Ports-1:0] r_room, w_room, b_room;  // of the orders below
  logic             read, read_master, write, write_master;

  tt_axi_turns #(.Ports(Ports)) u_reads (
    .clk_i,
    .rst_ni,
    .valid_i  ({s_axi_arvalid_i[Ports], s_axi_arvalid_i[0]}),
    .room_i   (r_room == '1),
    .address_i(s_axi_araddr_i),
    .length_i (s_axi_arlen_i),
    .take_o   (read),
    .master_o (read_master),
    .valid_o  (m_axi_arvalid_o),
    .ready_i  (m_axi_arready_i),
    .address_o(m_axi_araddr_o),
    .length_o (m_axi_arlen_o)
  );

  tt_axi_turns #(.Ports(Ports)) u_writes (
    .clk_i,
    .rst_ni,
    .valid_i  ({s_axi_awvalid_i[Ports], s_axi_awvalid_i[0]}),
    .room_i   (w_room == '1 && b_room == '1),
    .address_i(s_axi_awaddr_i),
    .length_i (s_axi_awlen_i),
    .take_o   (write),
    .master_o (write_master),
    .valid_o  (m_axi_awvalid_o),
    .ready_i  (m_axi_awready_i),
    .address_o(m_axi_awaddr_o),
    .length_o (m_axi_awlen_o)
  );

  assign s_axi_arready_o = {{Ports{read & read_master}}, {Ports{read & ~read_master}}};
  assign s_axi_awready_o = {{Ports{write & write_master}}, {Ports{write & ~write_master}}};

  // ---- data and answers, port by port ----------------------------------------------------------
  for (genvar p = 0; p < Ports; p++) begin : gen_port
    logic r_open, r_whose, w_open, w_whose, b_open, b_whose;

    tt_axi_order #(.Depth(ReadBursts)) u_r (
      .clk_i,
      .rst_ni,
      .push_i  (read),
      .master_i(read_master),
      .room_o  (r_room[p]),
      .valid_o (r_open),
      .master_o(r_whose),
      .pop_i   (m_axi_rvalid_i[p] & m_axi_rready_o[p] & m_axi_rlast_i[p])
    );
    assign m_axi_rready_o[p]         = r_open;
    assign s_axi_rvalid_o[p]         = m_axi_rvalid_i[p] & r_open & ~r_whose;
    assign s_axi_rvalid_o[Ports + p] = m_axi_rvalid_i[p] & r_open & r_whose;

    tt_axi_order #(.Depth(WriteBursts)) u_w (
      .clk_i,
      .rst_ni,
      .push_i  (write),
      .master_i(write_master),
      .room_o  (w_room[p]),
      .valid_o (w_open),
      .master_o(w_whose),
      .pop_i   (m_axi_wvalid_o[p] & m_axi_wready_i[p] & m_axi_wlast_o[p])
    );
    assign m_axi_wvalid_o[p] = w_open & (w_whose ? s_axi_wvalid_i[Ports + p] : s_axi_wvalid_i[p]);
    assign m_axi_wlast_o[p]  = w_whose ? s_axi_wlast_i[Ports + p] : s_axi_wlast_i[p];
    assign s_axi_wready_o[p] = w_open & ~w_whose & m_axi_wready_i[p];
    assign s_axi_wready_o[Ports + p] = w_open & w_whose & m_axi_wready_i[p];
    assign m_axi_wdata_o[8*PortBytes*p +: 8*PortBytes] =
        s_axi_wdata_i[(w_whose ? Part : 0) + 8*PortBytes*p +: 8*PortBytes];
    assign m_axi_wstrb_o[PortBytes*p +: PortBytes] =
        s_axi_wstrb_i[(w_whose ? Part / 8 : 0) + PortBytes*p +: PortBytes];

    tt_axi_order #(.Depth(WriteBursts)) u_b (
      .clk_i,
      .rst_ni,
      .push_i  (write),
      .master_i(write_master),
      .room_o  (b_room[p]),
      .valid_o (b_open),
      .master_o(b_whose),
      .pop_i   (m_axi_bvalid_i[p] & m_axi_bready_o[p])
    );
    assign m_axi_bready_o[p]         = b_open;
    assign s_axi_bvalid_o[p]         = m_axi_bvalid_i[p] & b_open & ~b_whose;
    assign s_axi_bvalid_o[Ports + p] = m_axi_bvalid_i[p] & b_open & b_whose;
  end

  logic unused;
  assign unused = ^{s_axi_arvalid_i, s_axi_awvalid_i};
endmodule

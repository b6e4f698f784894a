/// Two copying units behind tt_memory, for the tests of the card's memory.
module tb_memory #(
  /// AXI4 ports.
  parameter int unsigned Ports = 4,
  /// Bytes of a transfer of a port.
  parameter int unsigned PortBytes = 16,
  /// Bytes of a beat.
  localparam int unsigned BeatBytes = Ports * PortBytes
) (
  /// Clock.
  input  logic         clk_i,
  /// Reset, active low.
  input  logic         rst_ni,
  /// Physical address of the image.
  input  logic [63:0]  image_base_i,
  /// Bytes of the image.
  input  logic [63:0]  image_bytes_i,
  /// Physical address of the state.
  input  logic [63:0]  state_base_i,
  /// Bytes of the state.
  input  logic [63:0]  state_bytes_i,
  /// A copy is wanted, a bit a unit.
  input  logic [1:0]   start_valid_i,
  /// The copy begins.
  output logic [1:0]   start_ready_o,
  /// First beat to read.
  input  logic [79:0]  source_i,
  /// First beat to write.
  input  logic [79:0]  target_i,
  /// Beats.
  input  logic [63:0]  beats_i,
  /// Only the even bytes are written.
  input  logic         even_i,
  /// Copies that are in memory.
  output logic [63:0]  copies_o,
  /// Errors of tt_memory.
  output logic [31:0]  errors_o,
  /// Nothing in flight.
  output logic         idle_o,
  /// AXI4.
  output logic [Ports-1:0] m_axi_arvalid_o,
  /// AXI4.
  output logic [64*Ports-1:0] m_axi_araddr_o,
  /// AXI4.
  output logic [8*Ports-1:0] m_axi_arlen_o,
  /// AXI4.
  output logic [3*Ports-1:0] m_axi_arsize_o,
  /// AXI4.
  output logic [2*Ports-1:0] m_axi_arburst_o,
  /// AXI4.
  output logic [Ports-1:0] m_axi_rready_o,
  /// AXI4.
  output logic [Ports-1:0] m_axi_awvalid_o,
  /// AXI4.
  output logic [64*Ports-1:0] m_axi_awaddr_o,
  /// AXI4.
  output logic [8*Ports-1:0] m_axi_awlen_o,
  /// AXI4.
  output logic [3*Ports-1:0] m_axi_awsize_o,
  /// AXI4.
  output logic [2*Ports-1:0] m_axi_awburst_o,
  /// AXI4.
  output logic [Ports-1:0] m_axi_wvalid_o,
  /// AXI4.
  output logic [8*PortBytes*Ports-1:0] m_axi_wdata_o,
  /// AXI4.
  output logic [PortBytes*Ports-1:0] m_axi_wstrb_o,
  /// AXI4.
  output logic [Ports-1:0] m_axi_wlast_o,
  /// AXI4.
  output logic [Ports-1:0] m_axi_bready_o,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_arready_i,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_rvalid_i,
  /// AXI4.
  input  logic [8*PortBytes*Ports-1:0] m_axi_rdata_i,
  /// AXI4.
  input  logic [2*Ports-1:0] m_axi_rresp_i,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_rlast_i,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_awready_i,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_wready_i,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_bvalid_i,
  /// AXI4.
  input  logic [2*Ports-1:0] m_axi_bresp_i
);
  logic [1:0]             rd_valid, rd_ready, rd_data_valid;
  logic [79:0]            rd_address, wr_address;
  logic [9:0]             rd_beats, wr_beats;
  logic [8*BeatBytes-1:0] rd_data;
  logic [1:0]             wr_valid, wr_ready, wr_data_valid, wr_data_ready, wr_done;
  logic [16*BeatBytes-1:0] wr_data;
  logic [2*BeatBytes-1:0] wr_strobe;
  logic                   error;

  for (genvar u = 0; u < 2; u++) begin : gen_unit
    tb_copy #(.BeatBytes(BeatBytes)) u_copy (
      .clk_i,
      .rst_ni,
      .start_valid_i  (start_valid_i[u]),
      .start_ready_o  (start_ready_o[u]),
      .source_i       (source_i[40*u +: 40]),
      .target_i       (target_i[40*u +: 40]),
      .beats_i        (beats_i[32*u +: 32]),
      .even_i,
      .cheat_i        (1'b0),
      .copies_o       (copies_o[32*u +: 32]),
      .rd_valid_o     (rd_valid[u]),
      .rd_ready_i     (rd_ready[u]),
      .rd_address_o   (rd_address[40*u +: 40]),
      .rd_beats_o     (rd_beats[5*u +: 5]),
      .rd_data_valid_i(rd_data_valid[u]),
      .rd_data_i      (rd_data),
      .wr_valid_o     (wr_valid[u]),
      .wr_ready_i     (wr_ready[u]),
      .wr_address_o   (wr_address[40*u +: 40]),
      .wr_beats_o     (wr_beats[5*u +: 5]),
      .wr_data_valid_o(wr_data_valid[u]),
      .wr_data_ready_i(wr_data_ready[u]),
      .wr_data_o      (wr_data[8*BeatBytes*u +: 8*BeatBytes]),
      .wr_strobe_o    (wr_strobe[BeatBytes*u +: BeatBytes]),
      .wr_done_i      (wr_done[u])
    );
  end

  tt_memory #(
    .ReadClients (2),
    .WriteClients(2),
    .Ports       (Ports),
    .PortBytes   (PortBytes)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .image_base_i,
    .image_bytes_i,
    .state_base_i,
    .state_bytes_i,
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
    .wr_strobe_i    (wr_strobe),
    .wr_done_o      (wr_done),
    .error_o        (error),
    .error_kind_o   (),
    .error_address_o(),
    .read_beat_o    (),
    .write_beat_o   (),
    .read_wait_o    (),
    .write_wait_o   (),
    .idle_o,
    .m_axi_arvalid_o,
    .m_axi_araddr_o,
    .m_axi_arlen_o,
    .m_axi_arsize_o,
    .m_axi_arburst_o,
    .m_axi_rready_o,
    .m_axi_awvalid_o,
    .m_axi_awaddr_o,
    .m_axi_awlen_o,
    .m_axi_awsize_o,
    .m_axi_awburst_o,
    .m_axi_wvalid_o,
    .m_axi_wdata_o,
    .m_axi_wstrb_o,
    .m_axi_wlast_o,
    .m_axi_bready_o,
    .m_axi_arready_i,
    .m_axi_rvalid_i,
    .m_axi_rdata_i,
    .m_axi_rresp_i,
    .m_axi_rlast_i,
    .m_axi_awready_i,
    .m_axi_wready_i,
    .m_axi_bvalid_i,
    .m_axi_bresp_i
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) errors_o <= '0;
    else errors_o <= errors_o + 32'(error);
  end
endmodule

/// AXI4 masters that a test drives by hand: every signal of the ports is a port of its own.
module tb_axi #(
  /// AXI4 ports.
  parameter int unsigned Ports = 2,
  /// Bytes of a transfer of a port.
  parameter int unsigned PortBytes = 16
) (
  /// Clock.
  input  logic clk_i,
  /// Drives m_axi_arvalid_o.
  input  logic [Ports-1:0] arvalid_i,
  /// AXI4.
  output logic [Ports-1:0] m_axi_arvalid_o,
  /// Drives m_axi_araddr_o.
  input  logic [64*Ports-1:0] araddr_i,
  /// AXI4.
  output logic [64*Ports-1:0] m_axi_araddr_o,
  /// Drives m_axi_arlen_o.
  input  logic [8*Ports-1:0] arlen_i,
  /// AXI4.
  output logic [8*Ports-1:0] m_axi_arlen_o,
  /// Drives m_axi_arsize_o.
  input  logic [3*Ports-1:0] arsize_i,
  /// AXI4.
  output logic [3*Ports-1:0] m_axi_arsize_o,
  /// Drives m_axi_arburst_o.
  input  logic [2*Ports-1:0] arburst_i,
  /// AXI4.
  output logic [2*Ports-1:0] m_axi_arburst_o,
  /// Drives m_axi_rready_o.
  input  logic [Ports-1:0] rready_i,
  /// AXI4.
  output logic [Ports-1:0] m_axi_rready_o,
  /// Drives m_axi_awvalid_o.
  input  logic [Ports-1:0] awvalid_i,
  /// AXI4.
  output logic [Ports-1:0] m_axi_awvalid_o,
  /// Drives m_axi_awaddr_o.
  input  logic [64*Ports-1:0] awaddr_i,
  /// AXI4.
  output logic [64*Ports-1:0] m_axi_awaddr_o,
  /// Drives m_axi_awlen_o.
  input  logic [8*Ports-1:0] awlen_i,
  /// AXI4.
  output logic [8*Ports-1:0] m_axi_awlen_o,
  /// Drives m_axi_awsize_o.
  input  logic [3*Ports-1:0] awsize_i,
  /// AXI4.
  output logic [3*Ports-1:0] m_axi_awsize_o,
  /// Drives m_axi_awburst_o.
  input  logic [2*Ports-1:0] awburst_i,
  /// AXI4.
  output logic [2*Ports-1:0] m_axi_awburst_o,
  /// Drives m_axi_wvalid_o.
  input  logic [Ports-1:0] wvalid_i,
  /// AXI4.
  output logic [Ports-1:0] m_axi_wvalid_o,
  /// Drives m_axi_wdata_o.
  input  logic [8*PortBytes*Ports-1:0] wdata_i,
  /// AXI4.
  output logic [8*PortBytes*Ports-1:0] m_axi_wdata_o,
  /// Drives m_axi_wstrb_o.
  input  logic [PortBytes*Ports-1:0] wstrb_i,
  /// AXI4.
  output logic [PortBytes*Ports-1:0] m_axi_wstrb_o,
  /// Drives m_axi_wlast_o.
  input  logic [Ports-1:0] wlast_i,
  /// AXI4.
  output logic [Ports-1:0] m_axi_wlast_o,
  /// Drives m_axi_bready_o.
  input  logic [Ports-1:0] bready_i,
  /// AXI4.
  output logic [Ports-1:0] m_axi_bready_o,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_arready_i,
  /// Shows m_axi_arready_i.
  output logic [Ports-1:0] arready_o,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_rvalid_i,
  /// Shows m_axi_rvalid_i.
  output logic [Ports-1:0] rvalid_o,
  /// AXI4.
  input  logic [8*PortBytes*Ports-1:0] m_axi_rdata_i,
  /// Shows m_axi_rdata_i.
  output logic [8*PortBytes*Ports-1:0] rdata_o,
  /// AXI4.
  input  logic [2*Ports-1:0] m_axi_rresp_i,
  /// Shows m_axi_rresp_i.
  output logic [2*Ports-1:0] rresp_o,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_rlast_i,
  /// Shows m_axi_rlast_i.
  output logic [Ports-1:0] rlast_o,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_awready_i,
  /// Shows m_axi_awready_i.
  output logic [Ports-1:0] awready_o,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_wready_i,
  /// Shows m_axi_wready_i.
  output logic [Ports-1:0] wready_o,
  /// AXI4.
  input  logic [Ports-1:0] m_axi_bvalid_i,
  /// Shows m_axi_bvalid_i.
  output logic [Ports-1:0] bvalid_o,
  /// AXI4.
  input  logic [2*Ports-1:0] m_axi_bresp_i,
  /// Shows m_axi_bresp_i.
  output logic [2*Ports-1:0] bresp_o
);
  assign m_axi_arvalid_o = arvalid_i;
  assign m_axi_araddr_o = araddr_i;
  assign m_axi_arlen_o = arlen_i;
  assign m_axi_arsize_o = arsize_i;
  assign m_axi_arburst_o = arburst_i;
  assign m_axi_rready_o = rready_i;
  assign m_axi_awvalid_o = awvalid_i;
  assign m_axi_awaddr_o = awaddr_i;
  assign m_axi_awlen_o = awlen_i;
  assign m_axi_awsize_o = awsize_i;
  assign m_axi_awburst_o = awburst_i;
  assign m_axi_wvalid_o = wvalid_i;
  assign m_axi_wdata_o = wdata_i;
  assign m_axi_wstrb_o = wstrb_i;
  assign m_axi_wlast_o = wlast_i;
  assign m_axi_bready_o = bready_i;
  assign arready_o = m_axi_arready_i;
  assign rvalid_o = m_axi_rvalid_i;
  assign rdata_o = m_axi_rdata_i;
  assign rresp_o = m_axi_rresp_i;
  assign rlast_o = m_axi_rlast_i;
  assign awready_o = m_axi_awready_i;
  assign wready_o = m_axi_wready_i;
  assign bvalid_o = m_axi_bvalid_i;
  assign bresp_o = m_axi_bresp_i;
endmodule

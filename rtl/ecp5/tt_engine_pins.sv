/// tt_engine with six pins: a shift register drives its inputs, another one takes its outputs.
///
/// For place and route alone (`cargo xtask pnr`): every port of the engine begins and ends at a
/// register, and nothing of it can be optimised away.
module tt_engine_pins #(
  /// As in tt_engine.
  parameter int unsigned Slots = 4,
  /// As in tt_engine.
  parameter int unsigned Rows = 5,
  /// As in tt_engine.
  parameter int unsigned Groups = 5,
  /// As in tt_engine.
  parameter int unsigned BeatBytes = 16,
  /// As in tt_engine.
  parameter int unsigned PanelTiles = 512,
  /// As in tt_engine.
  localparam int unsigned Lanes = Slots < 4 ? Slots : 4
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low.
  input  logic rst_ni,
  /// Shift data_i into the inputs of the engine.
  input  logic shift_i,
  /// What is shifted in.
  input  logic data_i,
  /// Take the outputs of the engine; otherwise they are shifted out.
  input  logic capture_i,
  /// What is shifted out.
  output logic data_o
);
  localparam int unsigned ActBits = 24 * Groups;
  localparam int unsigned ResBits = 24 * Rows * Lanes;
  localparam int unsigned InBits  = 72 + 8 * BeatBytes + ActBits;
  localparam int unsigned OutBits = 123 + ResBits;

  logic [InBits-1:0]  in_q;
  logic [OutBits-1:0] out, out_q;

  always_ff @(posedge clk_i) begin
    if (shift_i) in_q <= {in_q[InBits-2:0], data_i};
    out_q <= capture_i ? out : out_q << 1;
  end
  assign data_o = out_q[OutBits-1];

  tt_engine #(
    .Slots     (Slots),
    .Rows      (Rows),
    .Groups    (Groups),
    .BeatBytes (BeatBytes),
    .PanelTiles(PanelTiles)
  ) u_engine (
    .clk_i,
    .rst_ni,
    .s_axil_awvalid_i(in_q[0]),
    .s_axil_awready_o(out[0]),
    .s_axil_awaddr_i (in_q[12:1]),
    .s_axil_awprot_i (3'd0),
    .s_axil_wvalid_i (in_q[13]),
    .s_axil_wready_o (out[1]),
    .s_axil_wdata_i  (in_q[45:14]),
    .s_axil_wstrb_i  (in_q[49:46]),
    .s_axil_bvalid_o (out[2]),
    .s_axil_bready_i (in_q[50]),
    .s_axil_bresp_o  (out[4:3]),
    .s_axil_arvalid_i(in_q[51]),
    .s_axil_arready_o(out[5]),
    .s_axil_araddr_i (in_q[63:52]),
    .s_axil_arprot_i (3'd0),
    .s_axil_rvalid_o (out[6]),
    .s_axil_rready_i (in_q[64]),
    .s_axil_rdata_o  (out[38:7]),
    .s_axil_rresp_o  (out[40:39]),
    .m_axi_arvalid_o (out[41]),
    .m_axi_arready_i (in_q[65]),
    .m_axi_araddr_o  (out[105:42]),
    .m_axi_arlen_o   (out[113:106]),
    .m_axi_arsize_o  (out[116:114]),
    .m_axi_arburst_o (out[118:117]),
    .m_axi_rvalid_i  (in_q[66]),
    .m_axi_rready_o  (out[119]),
    .m_axi_rdata_i   (in_q[72 +: 8*BeatBytes]),
    .m_axi_rresp_i   (in_q[68:67]),
    .m_axi_rlast_i   (in_q[69]),
    .act_valid_i     (in_q[70]),
    .act_ready_o     (out[120]),
    .act_data_i      (in_q[72+8*BeatBytes +: ActBits]),
    .res_valid_o     (out[121]),
    .res_ready_i     (in_q[71]),
    .res_data_o      (out[123 +: ResBits]),
    .res_last_o      (out[122])
  );
endmodule

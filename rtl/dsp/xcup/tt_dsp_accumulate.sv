/// Four sums of 12 bits side by side that grow by one operand a cycle.
///
/// One DSP48E2 in four fields. The same module as rtl/dsp/tt_dsp_accumulate.sv, with its timing.
module tt_dsp_accumulate #(
  /// What the sums start from.
  parameter logic [11:0] Start = '0
) (
  /// Clock.
  input  logic        clk_i,
  /// Start; a_i is ignored and minus_i low.
  input  logic        start_i,
  /// Operands, 12 bits each.
  input  logic [47:0] a_i,
  /// Subtract.
  input  logic        minus_i,
  /// The sums, 12 bits each.
  output logic [47:0] sum_o
);
  // W: the constant to start from. Z: P. Y: zero. X: A and B.
  DSP48E2 #(
    .USE_SIMD("FOUR12"),
    .USE_MULT("NONE"),
    .AREG(0),
    .ACASCREG(0),
    .BREG(0),
    .BCASCREG(0),
    .CREG(0),
    .MREG(0),
    .ADREG(0),
    .DREG(0),
    .INMODEREG(0),
    .ALUMODEREG(0),
    .OPMODEREG(0),
    .RND({4{Start}})
  ) u_dsp (
    .CLK(clk_i),
    .A(a_i[47:18]),
    .B(a_i[17:0]),
    .C(48'd0),
    .D(27'd0),
    .PCIN(48'd0),
    .ACIN(30'd0),
    .BCIN(18'd0),
    .CARRYCASCIN(1'b0),
    .CARRYIN(1'b0),
    .CARRYINSEL(3'b000),
    .MULTSIGNIN(1'b0),
    .INMODE(5'd0),
    .OPMODE(start_i ? 9'b10_000_00_00 : 9'b00_010_00_11),
    .ALUMODE({2'b00, {2{minus_i}}}),
    .CEA1(1'b0),
    .CEA2(1'b0),
    .CEAD(1'b0),
    .CEALUMODE(1'b0),
    .CEB1(1'b0),
    .CEB2(1'b0),
    .CEC(1'b0),
    .CECARRYIN(1'b0),
    .CECTRL(1'b0),
    .CED(1'b0),
    .CEINMODE(1'b0),
    .CEM(1'b0),
    .CEP(1'b1),
    .RSTA(1'b0),
    .RSTALLCARRYIN(1'b0),
    .RSTALUMODE(1'b0),
    .RSTB(1'b0),
    .RSTC(1'b0),
    .RSTCTRL(1'b0),
    .RSTD(1'b0),
    .RSTINMODE(1'b0),
    .RSTM(1'b0),
    .RSTP(1'b0),
    .P(sum_o)
  );
endmodule

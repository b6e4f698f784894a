/// Two sums of 24 bits side by side: c plus or minus (a plus a constant).
///
/// One DSP48E2 in two halves. The same module as rtl/dsp/tt_dsp_add.sv, which describes its timing.
module tt_dsp_add #(
  /// The constant, added to both halves of a_i.
  parameter logic [23:0] Offset = '0
) (
  /// Clock.
  input  logic        clk_i,
  /// Take zero for c_i.
  input  logic        clear_i,
  /// Operands, 24 bits each.
  input  logic [47:0] c_i,
  /// Operands, 24 bits each.
  input  logic [47:0] a_i,
  /// Subtract.
  input  logic        minus_i,
  /// The sums, 24 bits each.
  output logic [47:0] sum_o
);
  // W: the constant. Z: C. Y: zero. X: A and B.
  DSP48E2 #(
    .USE_SIMD("TWO24"),
    .USE_MULT("NONE"),
    .MREG(0),
    .ADREG(0),
    .DREG(0),
    .INMODEREG(0),
    .RND({2{Offset}})
  ) u_dsp (
    .CLK(clk_i),
    .A(a_i[47:18]),
    .B(a_i[17:0]),
    .C(c_i),
    .D(27'd0),
    .PCIN(48'd0),
    .ACIN(30'd0),
    .BCIN(18'd0),
    .CARRYCASCIN(1'b0),
    .CARRYIN(1'b0),
    .CARRYINSEL(3'b000),
    .MULTSIGNIN(1'b0),
    .INMODE(5'd0),
    .OPMODE(9'b10_011_00_11),
    .ALUMODE({2'b00, {2{minus_i}}}),
    .CEA1(1'b0),
    .CEA2(1'b1),
    .CEAD(1'b0),
    .CEALUMODE(1'b1),
    .CEB1(1'b0),
    .CEB2(1'b1),
    .CEC(1'b1),
    .CECARRYIN(1'b0),
    .CECTRL(1'b1),
    .CED(1'b0),
    .CEINMODE(1'b0),
    .CEM(1'b0),
    .CEP(1'b1),
    .RSTA(1'b0),
    .RSTALLCARRYIN(1'b0),
    .RSTALUMODE(1'b0),
    .RSTB(1'b0),
    .RSTC(clear_i),
    .RSTCTRL(1'b0),
    .RSTD(1'b0),
    .RSTINMODE(1'b0),
    .RSTM(1'b0),
    .RSTP(1'b0),
    .P(sum_o)
  );
endmodule

/// A link of a chain of sums: the sum so far plus or minus (c plus or minus (d plus or minus a)).
///
/// One DSP48E2: the pre-adder takes d and a, the multiplier is a sign, the chain is the cascade.
/// The same module as rtl/dsp/tt_dsp_link.sv, which describes its timing.
module tt_dsp_link #(
  /// The link begins a chain: chain_i and minus_c_i are ignored.
  parameter bit          First = 1'b0,
  /// What a chain starts from, of a link that begins one.
  parameter logic [47:0] Start = '0
) (
  /// Clock.
  input  logic        clk_i,
  /// Operand, signed.
  input  logic [26:0] a_i,
  /// Operand, signed.
  input  logic [26:0] d_i,
  /// Subtract a_i from d_i.
  input  logic        minus_a_i,
  /// Subtract both from c_i.
  input  logic        minus_d_i,
  /// Operand, two cycles after the others.
  input  logic [47:0] c_i,
  /// Subtract all three from the sum so far; with c_i.
  input  logic        minus_c_i,
  /// The sum so far: chain_o of the link before.
  input  logic [47:0] chain_i,
  /// The sum, for the next link alone.
  output logic [47:0] chain_o,
  /// The sum.
  output logic [47:0] sum_o
);
  // W: C or the constant. Z: the cascade or C. Y and X: the product.
  localparam logic [8:0] Opmode = First ? 9'b10_011_01_01 : 9'b11_001_01_01;

  DSP48E2 #(
    .AMULTSEL("AD"),
    .AREG(1),
    .ACASCREG(1),
    .BREG(2),
    .BCASCREG(2),
    .RND(Start)
  ) u_dsp (
    .CLK(clk_i),
    .A({3'b000, a_i}),
    .B({{17{minus_d_i}}, 1'b1}),
    .C(c_i),
    .D(d_i),
    .PCIN(chain_i),
    .ACIN(30'd0),
    .BCIN(18'd0),
    .CARRYCASCIN(1'b0),
    .CARRYIN(1'b0),
    .CARRYINSEL(3'b000),
    .MULTSIGNIN(1'b0),
    .INMODE({1'b0, minus_a_i, 3'b100}),  // d plus or minus a
    .OPMODE(Opmode),
    .ALUMODE({2'b00, {2{minus_c_i & ~First}}}),
    .CEA1(1'b0),
    .CEA2(1'b1),
    .CEAD(1'b1),
    .CEALUMODE(1'b1),
    .CEB1(1'b1),
    .CEB2(1'b1),
    .CEC(1'b1),
    .CECARRYIN(1'b0),
    .CECTRL(1'b1),
    .CED(1'b1),
    .CEINMODE(1'b1),
    .CEM(1'b1),
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
    .PCOUT(chain_o),
    .P(sum_o)
  );
endmodule

/// One DSP block: chain + (a + d) * b + c, as a DSP48E2 of UltraScale+. See rtl/dsp/tt_dsp_mac.sv.
module tt_dsp_mac #(
  /// Bits of a and d, at most 27; their sum must fit 27 bits.
  parameter int unsigned ABits = 27,
  /// Bits of b, at most 18.
  parameter int unsigned BBits = 18,
  /// Whether the result of the block before is added.
  parameter bit Chained = 1'b0
) (
  /// Clock.
  input  logic             clk_i,
  /// Bit n: operands came n cycles ago.
  input  logic [3:0]       valid_i,
  /// Operands: which of them are added, {d, a}.
  input  logic [1:0]       use_i,
  /// Operand, signed.
  input  logic [ABits-1:0] a_i,
  /// Operand, signed.
  input  logic [ABits-1:0] d_i,
  /// Operand, signed.
  input  logic [BBits-1:0] b_i,
  /// Two cycles after the operands: c is added.
  input  logic             add_i,
  /// Two cycles after the operands: what is added.
  input  logic [47:0]      c_i,
  /// chain_o of the block before, three cycles after the operands.
  input  logic [47:0]      chain_i,
  /// The result for the next block, four cycles after the operands.
  output logic [47:0]      chain_o,
  /// The result.
  output logic [47:0]      sum_o
);
  // W adds C or nothing, Z the cascade or nothing, X and Y the product.
  logic [8:0] opmode;
  assign opmode = {add_i, add_i, 2'b00, Chained, 4'b0101};

  DSP48E2 #(
    .AMULTSEL          ("AD"),
    .ACASCREG          (1),
    .ADREG             (1),
    .ALUMODEREG        (0),
    .AREG              (1),
    .BCASCREG          (2),
    .BREG              (2),
    .CARRYINREG        (0),
    .CARRYINSELREG     (0),
    .CREG              (1),
    .DREG              (1),
    .INMODEREG         (1),
    // Bit 1 leaves A out: use_i[0] says that it is used.
    .IS_INMODE_INVERTED(5'b00010),
    .MREG              (1),
    .OPMODEREG         (1),
    .PREG              (1)
  ) u_block (
    .CLK          (clk_i),
    .A            ({{(30 - ABits){a_i[ABits-1]}}, a_i}),
    .B            ({{(18 - BBits){b_i[BBits-1]}}, b_i}),
    .C            (c_i),
    .D            ({{(27 - ABits){d_i[ABits-1]}}, d_i}),
    .CARRYIN      (1'b0),
    .ALUMODE      (4'b0000),
    .CARRYINSEL   (3'b000),
    .INMODE       ({2'b00, use_i[1], use_i[0], 1'b0}),
    .OPMODE       (opmode),
    .PCIN         (chain_i),
    .ACIN         (30'd0),
    .BCIN         (18'd0),
    .CARRYCASCIN  (1'b0),
    .MULTSIGNIN   (1'b0),
    .CEA1         (1'b0),
    .CEA2         (valid_i[0]),
    .CEAD         (valid_i[1]),
    .CEALUMODE    (1'b0),
    .CEB1         (valid_i[0]),
    .CEB2         (valid_i[1]),
    .CEC          (valid_i[2]),
    .CECARRYIN    (1'b0),
    .CECTRL       (valid_i[2]),
    .CED          (valid_i[0]),
    .CEINMODE     (valid_i[0]),
    .CEM          (valid_i[2]),
    .CEP          (valid_i[3]),
    .RSTA         (1'b0),
    .RSTALLCARRYIN(1'b0),
    .RSTALUMODE   (1'b0),
    .RSTB         (1'b0),
    .RSTC         (1'b0),
    .RSTCTRL      (1'b0),
    .RSTD         (1'b0),
    .RSTINMODE    (1'b0),
    .RSTM         (1'b0),
    .RSTP         (1'b0),
    .P            (sum_o),
    .PCOUT        (chain_o)
  );
endmodule

/// What rtl/dsp/xcup uses of the block DSP48E2, after UG579: registers, pre-adder, multiplier, and
/// an adder of four numbers. Inputs and settings that are not modelled must have their idle values.
module DSP48E2 #(
  parameter              AMULTSEL           = "A",
  parameter int unsigned ACASCREG           = 1,
  parameter int unsigned ADREG              = 1,
  parameter int unsigned ALUMODEREG         = 1,
  parameter int unsigned AREG               = 1,
  parameter int unsigned BCASCREG           = 1,
  parameter int unsigned BREG               = 1,
  parameter int unsigned CARRYINREG         = 1,
  parameter int unsigned CARRYINSELREG      = 1,
  parameter int unsigned CREG               = 1,
  parameter int unsigned DREG               = 1,
  parameter int unsigned INMODEREG          = 1,
  parameter logic [4:0]  IS_INMODE_INVERTED = 5'b0,
  parameter int unsigned MREG               = 1,
  parameter int unsigned OPMODEREG          = 1,
  parameter int unsigned PREG               = 1
) (
  input  logic        CLK,
  input  logic [29:0] A,
  input  logic [17:0] B,
  input  logic [47:0] C,
  input  logic [26:0] D,
  input  logic        CARRYIN,
  input  logic [3:0]  ALUMODE,
  input  logic [2:0]  CARRYINSEL,
  input  logic [4:0]  INMODE,
  input  logic [8:0]  OPMODE,
  input  logic [47:0] PCIN,
  input  logic [29:0] ACIN,
  input  logic [17:0] BCIN,
  input  logic        CARRYCASCIN,
  input  logic        MULTSIGNIN,
  input  logic        CEA1,
  input  logic        CEA2,
  input  logic        CEAD,
  input  logic        CEALUMODE,
  input  logic        CEB1,
  input  logic        CEB2,
  input  logic        CEC,
  input  logic        CECARRYIN,
  input  logic        CECTRL,
  input  logic        CED,
  input  logic        CEINMODE,
  input  logic        CEM,
  input  logic        CEP,
  input  logic        RSTA,
  input  logic        RSTALLCARRYIN,
  input  logic        RSTALUMODE,
  input  logic        RSTB,
  input  logic        RSTC,
  input  logic        RSTCTRL,
  input  logic        RSTD,
  input  logic        RSTINMODE,
  input  logic        RSTM,
  input  logic        RSTP,
  output logic [47:0] P,
  output logic [47:0] PCOUT
);
  if (AMULTSEL != "AD" || ACASCREG != 1 || ADREG != 1 || ALUMODEREG != 0 || AREG != 1
      || BCASCREG != 2 || BREG != 2 || CARRYINREG != 0 || CARRYINSELREG != 0 || CREG != 1
      || DREG != 1 || INMODEREG != 1 || MREG != 1 || OPMODEREG != 1 || PREG != 1) begin : gen_other
    $fatal(1, "DSP48E2: the model does not have these settings");
  end

  logic signed [26:0] a_q, d_q, ad_q, a_used, d_used;
  logic signed [17:0] b1_q, b2_q;
  logic signed [44:0] m_q;
  logic        [47:0] c_q, p_q, w, xy, z;
  logic        [4:0]  inmode_q;
  logic        [8:0]  opmode_q;

  // INMODE: bit 1 leaves A out, bit 2 takes D; bits 0, 3 and 4 choose what is not modelled.
  assign a_used = inmode_q[1] ? '0 : a_q;
  assign d_used = inmode_q[2] ? d_q : '0;

  // OPMODE: X and Y together are the product, Z is 0, PCIN or P, W is 0, P or C.
  always_comb begin
    xy = opmode_q[3:0] == 4'b0101 ? 48'(m_q) : '0;
    unique case (opmode_q[6:4])
      3'b001:  z = PCIN;
      3'b010:  z = p_q;
      default: z = '0;
    endcase
    unique case (opmode_q[8:7])
      2'b01:   w = p_q;
      2'b11:   w = c_q;
      default: w = '0;
    endcase
  end

  always_ff @(posedge CLK) begin
    if (CEA2) a_q <= A[26:0];
    if (CED) d_q <= D;
    if (CEINMODE) inmode_q <= INMODE ^ IS_INMODE_INVERTED;
    if (CEAD) ad_q <= a_used + d_used;
    if (CEB1) b1_q <= B;
    if (CEB2) b2_q <= b1_q;
    if (CEM) m_q <= 45'(ad_q) * 45'(b2_q);
    if (CEC) c_q <= C;
    if (CECTRL) opmode_q <= OPMODE;
    if (CEP) p_q <= w + xy + z;
  end

  assign P     = p_q;
  assign PCOUT = p_q;

  logic idle;
  assign idle = ~|{CARRYIN, ALUMODE, CARRYINSEL, ACIN, BCIN, CARRYCASCIN, MULTSIGNIN, CEA1,
                   CEALUMODE, CECARRYIN, RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL,
                   RSTD, RSTINMODE, RSTM, RSTP};
  always_ff @(posedge CLK) begin
    assert (idle);
    assert (!INMODE[0] && !INMODE[3] && !INMODE[4] && (IS_INMODE_INVERTED & 5'b11001) == '0);
  end
endmodule

/// What rtl/dsp/xcup uses of the block DSP48E2 for sums, after UG579: registers, pre-adder,
/// multiplier, and an adder of four numbers, whole or in halves or quarters that carry nothing to
/// each other. Settings that are not modelled are refused; inputs that are not must be idle.
module DSP48E2 #(
  parameter              AMULTSEL   = "A",
  parameter              USE_SIMD   = "ONE48",
  parameter              USE_MULT   = "MULTIPLY",
  parameter logic [47:0] RND        = 48'd0,
  parameter int unsigned ACASCREG   = 1,
  parameter int unsigned ADREG      = 1,
  parameter int unsigned ALUMODEREG = 1,
  parameter int unsigned AREG       = 1,
  parameter int unsigned BCASCREG   = 1,
  parameter int unsigned BREG       = 1,
  parameter int unsigned CREG       = 1,
  parameter int unsigned DREG       = 1,
  parameter int unsigned INMODEREG  = 1,
  parameter int unsigned MREG       = 1,
  parameter int unsigned OPMODEREG  = 1,
  parameter int unsigned PREG       = 1
) (
  input  logic        CLK,
  input  logic [29:0] A,
  input  logic [17:0] B,
  input  logic [47:0] C,
  input  logic [26:0] D,
  input  logic [47:0] PCIN,
  input  logic [29:0] ACIN,
  input  logic [17:0] BCIN,
  input  logic        CARRYCASCIN,
  input  logic        CARRYIN,
  input  logic [2:0]  CARRYINSEL,
  input  logic        MULTSIGNIN,
  input  logic [4:0]  INMODE,
  input  logic [8:0]  OPMODE,
  input  logic [3:0]  ALUMODE,
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
  localparam bit          Mult  = USE_MULT == "MULTIPLY";
  localparam int unsigned Field = USE_SIMD == "FOUR12" ? 12 : USE_SIMD == "TWO24" ? 24 : 48;

  // The multiplier is whole or not there; with it go all registers of its path.
  if (PREG != 1 || AREG > 1 || ACASCREG != AREG || BREG > 2 || BCASCREG != BREG
      || (Mult ? AMULTSEL != "AD" || USE_SIMD != "ONE48" || AREG != 1 || BREG != 2 || ADREG != 1
                 || DREG != 1 || INMODEREG != 1 || MREG != 1 || CREG != 1
               : USE_MULT != "NONE" || AMULTSEL != "A" || BREG != AREG || ADREG != 0 || DREG != 0
                 || INMODEREG != 0 || MREG != 0)) begin : gen_other
    $fatal(1, "DSP48E2: the model does not have these settings");
  end

  // ---- registers -------------------------------------------------------------------------------
  logic [29:0] a_q, a;
  logic [17:0] b1_q, b2_q, b;
  logic [47:0] c_q, c, p_q;
  logic [26:0] d_q, ad_q;
  logic [44:0] m_q;
  logic [4:0]  inmode_q;
  logic [8:0]  opmode_q, opmode;
  logic [3:0]  alumode_q, alumode;

  assign a       = AREG == 0 ? A : a_q;
  assign b       = BREG == 0 ? B : b2_q;
  assign c       = CREG == 0 ? C : c_q;
  assign opmode  = OPMODEREG == 0 ? OPMODE : opmode_q;
  assign alumode = ALUMODEREG == 0 ? ALUMODE : alumode_q;

  // ---- pre-adder: INMODE 1 leaves A out, 2 takes D, 3 subtracts A --------------------------------
  logic [26:0] a_used, d_used, ad;
  assign a_used = inmode_q[1] ? '0 : a[26:0];
  assign d_used = inmode_q[2] ? d_q : '0;
  assign ad     = inmode_q[3] ? d_used - a_used : d_used + a_used;

  // ---- adder: the sum of W, X and Y is added to Z or subtracted ----------------------------------
  logic [47:0] w, x, y, z, sum;

  always_comb begin
    unique case (opmode[8:7])
      2'b00: w = '0;
      2'b01: w = p_q;
      2'b10: w = RND;
      2'b11: w = c;
    endcase
    unique case (opmode[6:4])
      3'b000:  z = '0;
      3'b001:  z = PCIN;
      3'b010:  z = p_q;
      3'b011:  z = c;
      default: z = 'x;
    endcase
    // The product enters by X and Y at once; here X has all of it.
    unique case (opmode[3:0])
      4'b00_00: {y, x} = '0;
      4'b00_11: {y, x} = {48'd0, a, b};
      4'b01_01: {y, x} = {48'd0, {3{m_q[44]}}, m_q};
      default:  {y, x} = 'x;
    endcase
  end

  for (genvar f = 0; f < 48 / Field; f++) begin : gen_field
    logic [Field-1:0] both;
    assign both = w[Field*f +: Field] + x[Field*f +: Field] + y[Field*f +: Field];
    assign sum[Field*f +: Field] = alumode[0] ? z[Field*f +: Field] - both
                                              : z[Field*f +: Field] + both;
  end

  always_ff @(posedge CLK) begin
    if (CEA2) a_q <= A;
    if (BREG == 2 ? CEB1 : 1'b0) b1_q <= B;
    if (CEB2) b2_q <= BREG == 2 ? b1_q : B;
    if (RSTC) c_q <= '0;
    else if (CEC) c_q <= C;
    if (CED) d_q <= D;
    if (CEAD) ad_q <= ad;
    if (CEM) m_q <= 45'($signed(ad_q)) * 45'($signed(b2_q));
    if (CEINMODE) inmode_q <= INMODE;
    if (CECTRL) opmode_q <= OPMODE;
    if (CEALUMODE) alumode_q <= ALUMODE;
    if (CEP) p_q <= sum;
  end

  assign P     = p_q;
  assign PCOUT = p_q;

  logic idle;
  assign idle = ~|{CARRYIN, CARRYINSEL, ACIN, BCIN, CARRYCASCIN, MULTSIGNIN, CEA1, CECARRYIN,
                   RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP};
  always_ff @(posedge CLK) begin
    assert (idle);
    assert (ALUMODE == 4'b0000 || ALUMODE == 4'b0011);
    assert (!INMODE[0] && !INMODE[4]);
  end
endmodule

/// Floating point division, one operation at a time, two bits of the quotient a cycle.
///
/// A cycle for each leading zero of a subnormal operand, ceil((ManBits + 3) / 2) cycles of
/// division, a cycle for each place that a subnormal quotient is moved down, one for rounding.
module tt_fdiv #(
  /// Bits of the exponent, 3..8.
  parameter int unsigned ExpBits = 8,
  /// Bits of the mantissa, 2..23.
  parameter int unsigned ManBits = 23,
  /// Bits of a number.
  localparam int unsigned Width = 1 + ExpBits + ManBits
) (
  /// Clock.
  input  logic             clk_i,
  /// Asynchronous reset, active low: idle.
  input  logic             rst_ni,
  /// Operands are offered.
  input  logic             valid_i,
  /// Idle; depends on registers alone.
  output logic             ready_o,
  /// The dividend.
  input  logic [Width-1:0] a_i,
  /// The divisor.
  input  logic [Width-1:0] b_i,
  /// The result is valid in this cycle alone.
  output logic             valid_o,
  /// The quotient.
  output logic [Width-1:0] result_o
);
  localparam int unsigned Bias = 2 ** (ExpBits - 1) - 1;
  localparam int unsigned Steps = (ManBits + 4) / 2;  // hidden bit, mantissa, guard, round
  localparam int unsigned QuotientBits = 2 * Steps;
  localparam int unsigned StepBits = $clog2(Steps);
  localparam int unsigned SignedBits = (ExpBits > 5 ? ExpBits : 5) + 3;

  typedef enum logic [2:0] {Idle, Normalise, Divide, Lower, Round} state_e;
  state_e state_q;

  logic               a_sign, b_sign, a_nan, b_nan, a_infinite, b_infinite, a_zero, b_zero;
  logic [ExpBits-1:0] a_exponent, b_exponent;
  logic [ManBits:0]   a_significand, b_significand;
  logic               nan, infinite, zero;

  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_a (
    .value_i(a_i), .sign_o(a_sign), .exponent_o(a_exponent), .significand_o(a_significand),
    .nan_o(a_nan), .infinite_o(a_infinite), .zero_o(a_zero)
  );
  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_b (
    .value_i(b_i), .sign_o(b_sign), .exponent_o(b_exponent), .significand_o(b_significand),
    .nan_o(b_nan), .infinite_o(b_infinite), .zero_o(b_zero)
  );
  assign nan      = a_nan | b_nan | (a_infinite & b_infinite) | (a_zero & b_zero);
  assign infinite = a_infinite | b_zero;
  assign zero     = a_zero | b_infinite;

  // One bit: the remainder is below twice the divisor, before and after.
  function automatic logic [ManBits+2:0] step(input logic [ManBits+1:0] remainder,
                                              input logic [ManBits:0] divisor);
    logic [ManBits+2:0] rest;
    rest = {1'b0, remainder} - {2'b00, divisor};
    step = {~rest[ManBits+2],
            rest[ManBits+2] ? remainder[ManBits:0] : rest[ManBits:0], 1'b0};
  endfunction

  logic                         sign_q, nan_q, infinite_q, zero_q, lost_q, valid_q;
  logic signed [SignedBits-1:0] exponent_q;
  logic [ManBits+1:0]           remainder_q;
  logic [ManBits:0]             divisor_q;
  logic [QuotientBits-1:0]      quotient_q;
  logic [StepBits-1:0]          step_q;
  logic [ManBits+2:0]           first, second;
  logic                         special, normal, divided, low;

  assign special = nan_q | infinite_q | zero_q;
  assign normal  = remainder_q[ManBits] & divisor_q[ManBits];
  assign divided = step_q == StepBits'(Steps - 1);
  assign low     = (exponent_q < SignedBits'(1)) & (quotient_q != '0);
  assign first   = step(remainder_q, divisor_q);
  assign second  = step(first[ManBits+1:0], divisor_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      valid_q <= 1'b0;
    end else begin
      valid_q <= state_q == Round;
      unique case (state_q)
        Idle:      if (valid_i) state_q <= Normalise;
        Normalise: if (special) state_q <= Round;
                   else if (normal) state_q <= Divide;
        Divide:    if (divided) state_q <= Lower;
        Lower:     if (!low) state_q <= Round;
        default:   state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    unique case (state_q)
      Idle: if (valid_i) begin
        sign_q      <= a_sign ^ b_sign;
        nan_q       <= nan;
        infinite_q  <= infinite;
        zero_q      <= zero;
        exponent_q  <= SignedBits'(a_exponent) - SignedBits'(b_exponent) + SignedBits'(Bias);
        remainder_q <= {1'b0, a_significand};
        divisor_q   <= b_significand;
        step_q      <= '0;
      end
      Normalise: if (!special) begin
        if (!remainder_q[ManBits]) remainder_q <= remainder_q << 1;
        if (!divisor_q[ManBits]) divisor_q <= divisor_q << 1;
        exponent_q <= exponent_q - SignedBits'(!remainder_q[ManBits])
                                 + SignedBits'(!divisor_q[ManBits]);
      end
      Divide: begin
        remainder_q <= second[ManBits+1:0];
        quotient_q  <= {quotient_q[QuotientBits-3:0], first[ManBits+2], second[ManBits+2]};
        step_q      <= step_q + 1'b1;
        lost_q      <= 1'b0;
      end
      Lower: begin
        lost_q <= lost_q | (remainder_q != '0) | (low & quotient_q[0]);
        if (low) begin
          quotient_q <= quotient_q >> 1;
          exponent_q <= exponent_q + 1'b1;
        end
      end
      default: ;
    endcase
  end

  // The quotient leads at its top bit or one below. An exponent that is still low has lost all.
  localparam logic [QuotientBits-1:0] Extra = QuotientBits'(2 ** (QuotientBits - ManBits - 3) - 1);
  logic             lowest, sticky;
  logic [Width-1:0] result, result_q;

  assign lowest = exponent_q < SignedBits'(1);
  assign sticky = lost_q | ((quotient_q & Extra) != '0);

  tt_float_round #(.ExpBits(ExpBits), .ManBits(ManBits)) u_round (
    .sign_i(sign_q),
    .exponent_i(lowest ? ExpBits'(1) : exponent_q[ExpBits-1:0]),
    .huge_i(~lowest & ((exponent_q >> ExpBits) != '0)),
    .sum_i({1'b0, quotient_q[QuotientBits-1-:ManBits+3], sticky}),
    .nan_i(nan_q),
    .infinite_i(infinite_q),
    .zero_i(zero_q),
    .exact_valid_i(1'b0),
    .exact_i('0),
    .result_o(result)
  );

  always_ff @(posedge clk_i) if (state_q == Round) result_q <= result;
  assign ready_o  = state_q == Idle;
  assign valid_o  = valid_q;
  assign result_o = result_q;
endmodule

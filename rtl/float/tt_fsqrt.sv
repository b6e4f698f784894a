/// Floating point square root, one operation at a time, two bits of the root a cycle.
///
/// A cycle for each leading zero of a subnormal operand, one more, ceil((ManBits + 3) / 2) cycles
/// of extraction, a cycle for each place that a subnormal root is moved down (formats with few bits
/// of exponent alone have those), one for rounding.
module tt_fsqrt #(
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
  /// An operand is offered.
  input  logic             valid_i,
  /// Idle; depends on registers alone.
  output logic             ready_o,
  /// The operand.
  input  logic [Width-1:0] a_i,
  /// The result is valid in this cycle alone.
  output logic             valid_o,
  /// The root: NaN of negative numbers, -0 of -0.
  output logic [Width-1:0] result_o
);
  localparam int unsigned Bias = 2 ** (ExpBits - 1) - 1;
  localparam int unsigned Steps = (ManBits + 4) / 2;  // hidden bit, mantissa, guard, round
  localparam int unsigned RootBits = 2 * Steps;
  localparam int unsigned StepBits = $clog2(Steps);
  localparam int unsigned SignedBits = (ExpBits > 5 ? ExpBits : 5) + 2;

  typedef enum logic [2:0] {Idle, Normalise, Extract, Lower, Round} state_e;
  state_e state_q;

  logic               sign, is_nan, is_infinite, is_zero;
  logic [ExpBits-1:0] exponent;
  logic [ManBits:0]   significand;

  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_a (
    .value_i(a_i), .sign_o(sign), .exponent_o(exponent), .significand_o(significand),
    .nan_o(is_nan), .infinite_o(is_infinite), .zero_o(is_zero)
  );

  // One bit of the root: is the remainder with two more bits at least 4 * root + 1? The remainder
  // is at most twice the root, before and after.
  function automatic logic [RootBits+1:0] step(input logic [RootBits:0] remainder,
                                               input logic [RootBits-1:0] root,
                                               input logic [1:0] pair);
    logic [RootBits+3:0] rest;
    rest = {1'b0, remainder, pair} - {2'b00, root, 2'b01};
    step = {~rest[RootBits+3],
            rest[RootBits+3] ? {remainder[RootBits-2:0], pair} : rest[RootBits:0]};
  endfunction

  logic                         sign_q, nan_q, infinite_q, zero_q, lost_q, valid_q;
  logic signed [SignedBits-1:0] exponent_q, biased;
  logic [ManBits+1:0]           radicand_q;
  logic [RootBits:0]            remainder_q;
  logic [RootBits-1:0]          root_q;
  logic [StepBits-1:0]          step_q;
  logic [RootBits+1:0]          first, second;
  logic                         special, extracted, low;

  assign special   = nan_q | infinite_q | zero_q;
  assign biased    = exponent_q + SignedBits'(Bias);
  assign extracted = step_q == StepBits'(Steps - 1);
  assign low       = (exponent_q < SignedBits'(1)) & (root_q != '0);
  assign first     = step(remainder_q, root_q, radicand_q[ManBits+1-:2]);
  assign second    = step(first[RootBits:0], {root_q[RootBits-2:0], first[RootBits+1]},
                          radicand_q[ManBits-1-:2]);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      valid_q <= 1'b0;
    end else begin
      valid_q <= state_q == Round;
      unique case (state_q)
        Idle:      if (valid_i) state_q <= Normalise;
        Normalise: if (special) state_q <= Round;
                   else if (radicand_q[ManBits]) state_q <= Extract;
        Extract:   if (extracted) state_q <= Lower;
        Lower:     if (!low) state_q <= Round;
        default:   state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    unique case (state_q)
      Idle: if (valid_i) begin
        sign_q      <= sign;
        nan_q       <= is_nan | (sign & ~is_zero);
        infinite_q  <= is_infinite;
        zero_q      <= is_zero;
        exponent_q  <= SignedBits'(exponent);
        radicand_q  <= {1'b0, significand};
        remainder_q <= '0;
        root_q      <= '0;
        step_q      <= '0;
        lost_q      <= 1'b0;
      end
      Normalise: begin
        // Half the exponent; the radicand lies in 1..4.
        if (!radicand_q[ManBits]) begin
          radicand_q <= radicand_q << 1;
          exponent_q <= exponent_q - 1'b1;
        end else begin
          radicand_q <= biased[0] ? radicand_q << 1 : radicand_q;
          exponent_q <= biased >>> 1;
        end
      end
      Extract: begin
        remainder_q <= second[RootBits:0];
        root_q      <= {root_q[RootBits-3:0], first[RootBits+1], second[RootBits+1]};
        radicand_q  <= radicand_q << 4;
        step_q      <= step_q + 1'b1;
      end
      Lower: begin
        lost_q <= lost_q | (remainder_q != '0) | (low & root_q[0]);
        if (low) begin
          root_q     <= root_q >> 1;
          exponent_q <= exponent_q + 1'b1;
        end
      end
      default: ;
    endcase
  end

  localparam logic [RootBits-1:0] Extra = RootBits'(2 ** (RootBits - ManBits - 3) - 1);
  logic             sticky;
  logic [Width-1:0] result, result_q;

  assign sticky = lost_q | ((root_q & Extra) != '0);

  tt_float_round #(.ExpBits(ExpBits), .ManBits(ManBits)) u_round (
    .sign_i(sign_q),
    .exponent_i(exponent_q[ExpBits-1:0]),
    .huge_i(1'b0),
    .sum_i({1'b0, root_q[RootBits-1-:ManBits+3], sticky}),
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

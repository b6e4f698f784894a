/// Floating point to a signed integer, one a cycle: to the nearest, ties to even; what does not fit
/// becomes the nearest that does, NaN becomes 0.
module tt_to_int #(
  /// Bits of the integer, 2..48.
  parameter int unsigned IntBits = 8,
  /// Bits of the exponent, 3..8.
  parameter int unsigned ExpBits = 8,
  /// Bits of the mantissa, 2..23.
  parameter int unsigned ManBits = 23,
  /// Bits of a number.
  localparam int unsigned Width = 1 + ExpBits + ManBits
) (
  /// Clock.
  input  logic               clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic               rst_ni,
  /// The operand is valid.
  input  logic               valid_i,
  /// The number.
  input  logic [Width-1:0]   a_i,
  /// The result is valid: valid_i, ToIntLatency cycles later.
  output logic               valid_o,
  /// The integer, signed.
  output logic [IntBits-1:0] result_o
);
  localparam int unsigned Latency = tt_float_pkg::ToIntLatency;
  // The biased exponent of 1/2: there the hidden bit lies one below the integer.
  localparam int unsigned Half = 2 ** (ExpBits - 1) - 2;
  localparam int unsigned KeptBits = IntBits + 1;  // and the half
  localparam int unsigned ShiftBits = $clog2(IntBits);
  localparam int unsigned ShiftIn = KeptBits + 2 ** ShiftBits - 1;
  localparam int unsigned SignedBits = (ExpBits > 6 ? ExpBits : 6) + 2;

  logic [Latency-1:0] valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], valid_i};
  end
  assign valid_o = valid_q[Latency-1];

  // Stage 1. Left by 0..IntBits-1; less is below 1/2, more does not fit.
  logic                         sign, nan, infinite, zero, unused_zero, tiny, vast;
  logic [ExpBits-1:0]           exponent;
  logic [ManBits:0]             significand;
  logic signed [SignedBits-1:0] places;
  logic [KeptBits-1:0]          kept;
  logic                         lost;
  logic [ShiftIn-1:0]           value;
  logic                         below;

  tt_float_unpack #(.ExpBits(ExpBits), .ManBits(ManBits)) u_a (
    .value_i(a_i), .sign_o(sign), .exponent_o(exponent), .significand_o(significand),
    .nan_o(nan), .infinite_o(infinite), .zero_o(zero)
  );
  assign unused_zero = zero;

  assign places = SignedBits'(exponent) - SignedBits'(Half);
  assign tiny  = places[SignedBits-1];
  assign vast  = ~tiny & (infinite | (places >= SignedBits'(IntBits)));

  // {IntBits zeros, significand, zeros}, cut to what the shift can bring up and the rest.
  localparam int unsigned Room = ShiftIn - IntBits;  // at least 1
  if (Room > ManBits) begin : gen_room
    assign value = ShiftIn'(significand) << (Room - ManBits - 1);
    assign below = 1'b0;
  end else begin : gen_cut
    assign value = ShiftIn'(significand >> (ManBits + 1 - Room));
    assign below = significand[ManBits-Room:0] != '0;
  end

  tt_float_shift #(.OutBits(KeptBits), .AmountBits(ShiftBits)) u_shift (
    .value_i(value), .amount_i(places[ShiftBits-1:0]), .result_o(kept), .sticky_o(lost)
  );

  logic               sign_q, zero_q, vast_q, half_q, rest_q;
  logic [IntBits-1:0] whole_q;

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      sign_q            <= sign;
      zero_q            <= nan | tiny;
      vast_q           <= vast;
      {whole_q, half_q} <= kept;
      rest_q            <= lost | below;
    end
  end

  // Stage 2. -(x + i) = ~x + (1 - i); only a positive number can round into the sign.
  logic               increment, over;
  logic [IntBits-1:0] rounded, result_q;

  assign increment = half_q & (rest_q | whole_q[0]);
  assign rounded   = (whole_q ^ {IntBits{sign_q}}) + IntBits'(sign_q ^ increment);
  assign over      = vast_q | (~sign_q & rounded[IntBits-1]);

  always_ff @(posedge clk_i) begin
    if (valid_q[0]) begin
      if (zero_q) result_q <= '0;
      else if (over) result_q <= {sign_q, {IntBits-1{~sign_q}}};
      else result_q <= rounded;
    end
  end
  assign result_o = result_q;
endmodule

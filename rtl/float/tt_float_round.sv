/// Rounds to the nearest, ties to even, and packs. Combinational.
///
/// The sum is {carry, hidden, mantissa, guard, round, sticky}. Its leading one may lie at the carry,
/// at the hidden bit or one below: the last is shifted up unless the exponent is that of
/// subnormals. A sum that leads lower must be exact in that place.
module tt_float_round #(
  /// Bits of the exponent.
  parameter int unsigned ExpBits = 8,
  /// Bits of the mantissa.
  parameter int unsigned ManBits = 23
) (
  /// The sign.
  input  logic                     sign_i,
  /// The biased exponent of the hidden bit, at least 1.
  input  logic [ExpBits-1:0]       exponent_i,
  /// The exponent is 2^ExpBits or more, whatever exponent_i says.
  input  logic                     huge_i,
  /// The significand.
  input  logic [ManBits+4:0]       sum_i,
  /// The result is NaN, before all else.
  input  logic                     nan_i,
  /// The result is infinite.
  input  logic                     infinite_i,
  /// The result is zero, after the two above and overflow.
  input  logic                     zero_i,
  /// The result is exact_i, after those above.
  input  logic                     exact_valid_i,
  /// Exponent and mantissa of a result that needs no rounding.
  input  logic [ExpBits+ManBits-1:0] exact_i,
  /// The result.
  output logic [ExpBits+ManBits:0] result_o
);
  localparam logic [ExpBits-1:0] Top = '1;

  logic                       carry, norm, up, shift;
  logic [ManBits-1:0]         mantissa;
  logic                       odd, half, rest, increment, overflow, ones, unused;
  logic [ExpBits-1:0]         step;
  logic [ExpBits+ManBits-1:0] rounded, chosen;

  assign carry = sum_i[ManBits+4];
  assign norm  = sum_i[ManBits+3];
  assign up    = carry | norm;
  assign shift = ~up & (exponent_i[ExpBits-1:1] != '0);

  assign mantissa  = carry ? sum_i[ManBits+3:4] : shift ? sum_i[ManBits+1:2] : sum_i[ManBits+2:3];
  assign odd       = carry ? sum_i[4] : shift ? sum_i[2] : sum_i[3];
  assign half      = carry ? sum_i[3] : shift ? sum_i[1] : sum_i[2];
  assign rest      = sum_i[0] | (sum_i[1] & ~shift) | (sum_i[2] & carry);
  assign increment = half & (rest | odd);

  // One more for a carry, one less when the one lies below the hidden bit; a subnormal has 0.
  assign step    = {{ExpBits-1{~up}}, carry | ~up};
  // The extra low bit carries the increment.
  assign {rounded, unused} = {exponent_i, mantissa, increment}
                           + {step, {ManBits{1'b0}}, increment};

  assign overflow = huge_i | (up & (exponent_i == Top)) | (carry & (exponent_i == Top - 1'b1));
  assign ones     = nan_i | infinite_i | overflow;
  assign chosen   = exact_valid_i ? exact_i : rounded;

  always_comb begin
    result_o = {sign_i & ~nan_i, chosen};
    if (zero_i) result_o[ExpBits+ManBits-1:0] = '0;
    if (ones) result_o[ExpBits+ManBits-1:0] = {Top, nan_i, {ManBits-1{1'b0}}};
  end
endmodule

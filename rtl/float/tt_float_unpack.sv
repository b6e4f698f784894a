/// Takes a floating point number apart. Combinational.
module tt_float_unpack #(
  /// Bits of the exponent.
  parameter int unsigned ExpBits = 8,
  /// Bits of the mantissa.
  parameter int unsigned ManBits = 23
) (
  /// The number.
  input  logic [ExpBits+ManBits:0] value_i,
  /// Its sign.
  output logic                     sign_o,
  /// The biased exponent: 1 for zero and subnormals, all ones for infinity and NaN.
  output logic [ExpBits-1:0]       exponent_o,
  /// The significand: mantissa under the hidden bit, which is 0 for zero and subnormals.
  output logic [ManBits:0]         significand_o,
  /// NaN.
  output logic                     nan_o,
  /// Infinity.
  output logic                     infinite_o,
  /// Zero of either sign.
  output logic                     zero_o
);
  logic [ExpBits-1:0] exponent;
  logic [ManBits-1:0] mantissa;
  logic               normal;

  assign {sign_o, exponent, mantissa} = value_i;
  assign normal        = exponent != '0;
  assign exponent_o    = {exponent[ExpBits-1:1], exponent[0] | ~normal};
  assign significand_o = {normal, mantissa};
  assign nan_o         = (exponent == '1) & (mantissa != '0);
  assign infinite_o    = (exponent == '1) & (mantissa == '0);
  assign zero_o        = ~normal & (mantissa == '0);
endmodule

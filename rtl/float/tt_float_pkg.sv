/// Latencies of the pipelined floating point units, in cycles from valid_i to valid_o.
///
/// All units keep to IEEE 754: results are rounded to the nearest, ties to even; subnormals in and
/// out; every NaN result is the canonical quiet NaN (sign 0, all-ones exponent, top mantissa bit).
package tt_float_pkg;
  /// tt_fadd.
  localparam int unsigned AddLatency = 4;
  /// tt_fmul.
  localparam int unsigned MulLatency = 4;
  /// tt_from_int.
  localparam int unsigned FromIntLatency = 2;
  /// tt_to_int.
  localparam int unsigned ToIntLatency = 2;
endpackage

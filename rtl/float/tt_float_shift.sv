/// Shifts left and keeps the top; whether a one is left below comes out as the sticky bit.
/// Combinational, log2 levels, largest step first.
module tt_float_shift #(
  /// Bits of the result.
  parameter int unsigned OutBits = 26,
  /// Bits of the amount.
  parameter int unsigned AmountBits = 5,
  /// Bits of the value: what the largest amount brings into the result.
  localparam int unsigned InBits = OutBits + 2 ** AmountBits - 1
) (
  /// The value.
  input  logic [InBits-1:0]     value_i,
  /// By how many bits.
  input  logic [AmountBits-1:0] amount_i,
  /// The top OutBits of the shifted value.
  output logic [OutBits-1:0]    result_o,
  /// A bit below them is one.
  output logic                  sticky_o
);
  logic [AmountBits-1:0] dropped;

  // Level l still has shifts of 0..2^l-1 before it.
  for (genvar l = AmountBits; l >= 0; l--) begin : gen_level
    logic [OutBits+2**l-2:0] value;
    if (l == AmountBits) begin : gen_in
      assign value = value_i;
    end else begin : gen_step
      assign value      = amount_i[l] ? gen_level[l+1].value[OutBits+2**l-2:0]
                                      : gen_level[l+1].value[OutBits+2**(l+1)-2:2**l];
      assign dropped[l] = ~amount_i[l] & (gen_level[l+1].value[2**l-1:0] != '0);
    end
  end

  assign result_o = gen_level[0].value;
  assign sticky_o = dropped != '0;
endmodule

/// Proof: the trit decoder inverts the packing of docs/engine.md, for all 3 ** 15 units.
///
/// Arbitrary trits are packed into three bytes; index and sign of each of the five groups must be
/// the value of its three trits.
module tt_decoder_proof (
  /// Clock.
  input logic clk_i
);
  (* anyconst *) logic [29:0] trits;  // 15 of {negative, positive}

  // The value of a triple, -13..13.
  function automatic logic signed [5:0] value(input logic [5:0] t);
    value = 6'(t[0]) - 6'(t[1]) + 6'sd3 * (6'(t[2]) - 6'(t[3])) + 6'sd9 * (6'(t[4]) - 6'(t[5]));
  endfunction

  // A byte: a triple and a pair. A trit as bits is already u: 0, 1, and 2 for -1.
  function automatic logic [7:0] pack(input logic [5:0] triple, input logic [3:0] pair);
    logic signed [5:0] v;
    logic [4:0] c;
    logic [3:0] p;
    v = value(triple);
    c = v < 0 ? {4'(6'd0 - v), 1'b1} : {4'(v), 1'b0};
    p = 4'(pair[1:0]) + 4'd3 * 4'(pair[3:2]);
    pack = p == 4'd8 ? {c[4:2], 3'd7, c[1:0]} : {p[2:0], c};
  endfunction

  logic [23:0] packed_unit;
  logic [19:0] index;
  logic [4:0]  sign;
  assign packed_unit = {pack(trits[17:12], trits[29:26]), pack(trits[11:6], trits[25:22]),
                        pack(trits[5:0], trits[21:18])};

  tt_trit_decoder u_decoder (
    .unit_i (packed_unit),
    .index_o(index),
    .sign_o (sign)
  );

  always_comb begin
    for (int i = 0; i < 15; i++) assume (trits[2*i +: 2] != 2'b11);
    for (int g = 0; g < 5; g++) begin
      assert (index[4*g +: 4] <= 4'd13);
      assert ((6'(index[4*g +: 4]) ^ {6{sign[g]}}) + 6'(sign[g]) == value(trits[6*g +: 6]));
    end
  end

  logic unused;
  assign unused = clk_i;
endmodule

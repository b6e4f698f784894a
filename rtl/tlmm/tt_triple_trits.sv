/// The three trits of a triple, from its magnitude and its sign: a LUT a bit.
module tt_triple_trits (
  /// Magnitude 0..13 of the triple.
  input  logic [3:0] index_i,
  /// The triple is negative.
  input  logic       sign_i,
  /// Trit c is zero.
  output logic [2:0] zero_o,
  /// Trit c is negative; of a trit that is not zero.
  output logic [2:0] minus_o
);
  // For each magnitude {minus, zero} of its three trits.
  function automatic logic [16*6-1:0] magnitudes();
    int value, digit;
    for (int m = 0; m < 16; m++) begin
      value = m;
      for (int c = 0; c < 3; c++) begin
        digit = value % 3;  // 2 stands for -1
        magnitudes[6*m+c]   = digit == 0;
        magnitudes[6*m+3+c] = digit == 2;
        value = value / 3 + (digit == 2 ? 1 : 0);
      end
    end
  endfunction
  localparam logic [16*6-1:0] Magnitudes = magnitudes();

  logic [2:0] minus;
  assign {minus, zero_o} = Magnitudes[6*index_i +: 6];
  assign minus_o         = minus ^ {3{sign_i}};
endmodule

/// Decodes a unit: three bytes of five trits to the table index and the sign of five groups.
///
/// Combinational, two levels of LUTs; docs/engine.md has the code. A byte that is no code gives an
/// unspecified but harmless answer.
module tt_trit_decoder (
  /// The three bytes, the first in bits 7..0.
  input  logic [23:0] unit_i,
  /// Table index of group g in bits 4g+3..4g: the magnitude 0..13 of its triple.
  output logic [19:0] index_o,
  /// Sign of group g in bit g: the triple is negative.
  output logic [4:0]  sign_o
);
  // A trit is {negative, positive}.
  localparam logic [1:0] Zero = 2'b00;
  localparam logic [1:0] Plus = 2'b01;
  localparam logic [1:0] Minus = 2'b10;

  // Trit 3 and 4 of a byte.
  function automatic logic [3:0] pair(input logic [7:2] code);
    unique case (code[7:5])
      3'd0: pair = {Zero, Zero};
      3'd1: pair = {Zero, Plus};
      3'd2: pair = {Zero, Minus};
      3'd3: pair = {Plus, Zero};
      3'd4: pair = {Plus, Plus};
      3'd5: pair = {Plus, Minus};
      3'd6: pair = {Minus, Zero};
      default: pair = {Minus, Plus};
    endcase
    if (code[4:2] == 3'd7) pair = {Minus, Minus};
  endfunction

  // Index and sign of the triple of three trits, for all 64 patterns: a LUT6 a bit.
  function automatic logic [64*5-1:0] triples();
    int value, digit;
    for (int t = 0; t < 64; t++) begin
      value = 0;
      for (int i = 2; i >= 0; i--) begin
        digit = (t >> (2 * i)) & 3;
        value = 3 * value + (digit & 1) - (digit >> 1);
      end
      triples[5*t +: 5] = value < 0 ? {4'(-value), 1'b1} : {4'(value), 1'b0};
    end
  endfunction
  localparam logic [64*5-1:0] Triples = triples();

  logic [11:0] pairs;

  for (genvar b = 0; b < 3; b++) begin : gen_byte
    logic [7:0] code;
    assign code                = unit_i[8*b +: 8];
    assign index_o[4*b +: 4]   = {code[4:2] == 3'd7 ? code[7:5] : code[4:2], code[1]};
    assign sign_o[b]           = code[0];
    assign pairs[4*b +: 4]     = pair(code[7:2]);
  end

  assign {index_o[15:12], sign_o[3]} = Triples[5*pairs[5:0] +: 5];
  assign {index_o[19:16], sign_o[4]} = Triples[5*pairs[11:6] +: 5];
endmodule

/// Two sums of 24 bits side by side: c plus or minus (a plus a constant).
///
/// One DSP block of UltraScale+. The operands are taken in cycle 0, sum_o follows in cycle 2.
module tt_dsp_add #(
  /// The constant, added to both halves of a_i.
  parameter logic [23:0] Offset = '0
) (
  /// Clock.
  input  logic        clk_i,
  /// Take zero for c_i.
  input  logic        clear_i,
  /// Operands, 24 bits each.
  input  logic [47:0] c_i,
  /// Operands, 24 bits each.
  input  logic [47:0] a_i,
  /// Subtract.
  input  logic        minus_i,
  /// The sums, 24 bits each.
  output logic [47:0] sum_o
);
  logic [47:0] c_q, a_q;
  logic        minus_q;

  always_ff @(posedge clk_i) begin
    c_q     <= clear_i ? '0 : c_i;
    a_q     <= a_i;
    minus_q <= minus_i;
  end

  for (genvar h = 0; h < 2; h++) begin : gen_half
    logic [23:0] addend, sum_q;
    assign addend = a_q[24*h +: 24] + Offset;
    always_ff @(posedge clk_i) begin
      sum_q <= minus_q ? c_q[24*h +: 24] - addend : c_q[24*h +: 24] + addend;
    end
    assign sum_o[24*h +: 24] = sum_q;
  end
endmodule

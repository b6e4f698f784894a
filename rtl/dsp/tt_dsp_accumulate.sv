/// Four sums of 12 bits side by side that grow by one operand a cycle.
///
/// One DSP block of UltraScale+; the sums follow a cycle after.
module tt_dsp_accumulate #(
  /// What the sums start from.
  parameter logic [11:0] Start = '0
) (
  /// Clock.
  input  logic        clk_i,
  /// Start; a_i is ignored and minus_i low.
  input  logic        start_i,
  /// Operands, 12 bits each.
  input  logic [47:0] a_i,
  /// Subtract.
  input  logic        minus_i,
  /// The sums, 12 bits each.
  output logic [47:0] sum_o
);
  for (genvar f = 0; f < 4; f++) begin : gen_field
    logic [11:0] sum_q;
    always_ff @(posedge clk_i) begin
      if (start_i) sum_q <= Start;
      else sum_q <= minus_i ? sum_q - a_i[12*f +: 12] : sum_q + a_i[12*f +: 12];
    end
    assign sum_o[12*f +: 12] = sum_q;
  end
endmodule

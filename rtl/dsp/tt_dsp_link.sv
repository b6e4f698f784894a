/// A link of a chain of sums: the sum so far plus or minus (c plus or minus (d plus or minus a)).
///
/// Every operand may hold several fields side by side. What a DSP block of UltraScale+ does in four
/// cycles: a_i, d_i and their signs in cycle 0, c_i and minus_c_i in cycle 2, chain_i in cycle 3, the
/// sum in cycle 4. So links that follow each other take their operands a cycle apart.
module tt_dsp_link #(
  /// The link begins a chain: chain_i and minus_c_i are ignored.
  parameter bit          First = 1'b0,
  /// What a chain starts from, of a link that begins one.
  parameter logic [47:0] Start = '0
) (
  /// Clock.
  input  logic        clk_i,
  /// Operand, signed.
  input  logic [26:0] a_i,
  /// Operand, signed.
  input  logic [26:0] d_i,
  /// Subtract a_i from d_i.
  input  logic        minus_a_i,
  /// Subtract both from c_i.
  input  logic        minus_d_i,
  /// Operand, two cycles after the others.
  input  logic [47:0] c_i,
  /// Subtract all three from the sum so far; with c_i.
  input  logic        minus_c_i,
  /// The sum so far: chain_o of the link before.
  input  logic [47:0] chain_i,
  /// The sum, for the next link alone.
  output logic [47:0] chain_o,
  /// The sum.
  output logic [47:0] sum_o
);
  logic        minus_a_q, minus_c_q;
  logic [1:0]  minus_d_q;
  logic [26:0] a_q, d_q, both_q;
  logic [47:0] c_q, product_q, addend, sum_q;

  assign addend = (First ? Start : c_q) + product_q;

  always_ff @(posedge clk_i) begin
    a_q       <= a_i;
    d_q       <= d_i;
    minus_a_q <= minus_a_i;
    minus_d_q <= {minus_d_q[0], minus_d_i};
    both_q    <= minus_a_q ? d_q - a_q : d_q + a_q;
    product_q <= minus_d_q[1] ? 48'd0 - {{21{both_q[26]}}, both_q} : {{21{both_q[26]}}, both_q};
    c_q       <= c_i;
    minus_c_q <= minus_c_i;
    if (First) sum_q <= c_q + addend;
    else sum_q <= minus_c_q ? chain_i - addend : chain_i + addend;
  end

  assign chain_o = sum_q;
  assign sum_o   = sum_q;
endmodule

/// One DSP block: chain + (a + d) * b + c, where a, d and c can be left out from cycle to cycle.
///
/// Operands, their sum, the product and the result have a register each. Blocks in a row make a
/// cascade: each adds the result of the one before it, whose operands came a cycle earlier.
/// rtl/dsp/FAMILY has this module for a family's own block: the same ports, cycles and results.
module tt_dsp_mac #(
  /// Bits of a and d, at most 27; their sum must fit 27 bits.
  parameter int unsigned ABits = 27,
  /// Bits of b, at most 18.
  parameter int unsigned BBits = 18,
  /// Whether the result of the block before is added.
  parameter bit Chained = 1'b0
) (
  /// Clock.
  input  logic             clk_i,
  /// Bit n: operands came n cycles ago.
  input  logic [3:0]       valid_i,
  /// Operands: which of them are added, {d, a}.
  input  logic [1:0]       use_i,
  /// Operand, signed.
  input  logic [ABits-1:0] a_i,
  /// Operand, signed.
  input  logic [ABits-1:0] d_i,
  /// Operand, signed.
  input  logic [BBits-1:0] b_i,
  /// Two cycles after the operands: c is added.
  input  logic             add_i,
  /// Two cycles after the operands: what is added.
  input  logic [47:0]      c_i,
  /// chain_o of the block before, three cycles after the operands.
  input  logic [47:0]      chain_i,
  /// The result for the next block, four cycles after the operands.
  output logic [47:0]      chain_o,
  /// The result.
  output logic [47:0]      sum_o
);
  if (ABits > 27 || BBits > 18) begin : gen_bad
    $fatal(1, "tt_dsp_mac: ABits or BBits");
  end

  logic signed [ABits-1:0]       a_q, d_q;
  logic signed [BBits-1:0]       b_q, b2_q;
  logic signed [ABits:0]         both_q;
  logic signed [ABits+BBits:0]   product_q;
  logic [1:0]                    use_q;
  logic                          add_q;
  logic [47:0]                   c_q, sum_q, chain;

  assign chain = Chained ? chain_i : '0;

  always_ff @(posedge clk_i) begin
    if (valid_i[0]) begin
      a_q   <= a_i;
      d_q   <= d_i;
      b_q   <= b_i;
      use_q <= use_i;
    end
    if (valid_i[1]) begin
      both_q <= (use_q[0] ? (ABits + 1)'(a_q) : '0) + (use_q[1] ? (ABits + 1)'(d_q) : '0);
      b2_q   <= b_q;
    end
    if (valid_i[2]) begin
      product_q <= both_q * b2_q;
      c_q       <= c_i;
      add_q     <= add_i;
    end
    if (valid_i[3]) sum_q <= chain + 48'(product_q) + (add_q ? c_q : '0);
  end

  assign sum_o   = sum_q;
  assign chain_o = sum_q;

  if (!Chained) begin : gen_first
    logic unused;
    assign unused = ^chain_i;
  end
endmodule

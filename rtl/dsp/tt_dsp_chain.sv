/// A cascade of DSP blocks: the sum of (a + d) * b over Length operands, plus c.
///
/// The operands of block p come p cycles after those of block 0, so a result needs no adder outside
/// of the blocks and there is one in every cycle.
module tt_dsp_chain #(
  /// Blocks, at least 2.
  parameter int unsigned Length = 8,
  /// Bits of a and d, at most 27; their sum must fit 27 bits.
  parameter int unsigned ABits = 27,
  /// Bits of b, at most 18.
  parameter int unsigned BBits = 18
) (
  /// Clock.
  input  logic                    clk_i,
  /// Bit n: the operands of block 0 came n cycles ago.
  input  logic [Length+2:0]       valid_i,
  /// Which operands are added, {d, a} of each block.
  input  logic [2*Length-1:0]     use_i,
  /// Operands, signed.
  input  logic [ABits*Length-1:0] a_i,
  /// Operands, signed.
  input  logic [ABits*Length-1:0] d_i,
  /// Operands, signed.
  input  logic [BBits*Length-1:0] b_i,
  /// Length + 1 cycles after the operands of block 0: c is added.
  input  logic                    add_i,
  /// In the same cycle: what is added.
  input  logic [47:0]             c_i,
  /// The sum, Length + 3 cycles after the operands of block 0.
  output logic [47:0]             sum_o
);
  logic [48*Length-1:0] chains, sums;

  for (genvar p = 0; p < Length; p++) begin : gen_block
    tt_dsp_mac #(
      .ABits  (ABits),
      .BBits  (BBits),
      .Chained(p != 0)
    ) u_block (
      .clk_i,
      .valid_i(valid_i[p+:4]),
      .use_i  (use_i[2*p+:2]),
      .a_i    (a_i[ABits*p+:ABits]),
      .d_i    (d_i[ABits*p+:ABits]),
      .b_i    (b_i[BBits*p+:BBits]),
      .add_i  (p == Length - 1 ? add_i : 1'b0),
      .c_i    (p == Length - 1 ? c_i : '0),
      .chain_i(p == 0 ? '0 : chains[48*(p == 0 ? 0 : p - 1)+:48]),
      .chain_o(chains[48*p+:48]),
      .sum_o  (sums[48*p+:48])
    );
  end

  assign sum_o = sums[48*(Length-1)+:48];

  logic unused;
  assign unused = ^{sums, chains[48*(Length-1)+:48]};
endmodule

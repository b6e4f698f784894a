/// Adds signed table entries of two slots in a chain of DSP blocks, the signs kept outside.
///
/// The two slots look up the same weights, so their entries lie side by side in every operand and
/// share its sign. Entries come with 2 ** (LeafBits - 1) added, never negative, so that no field
/// borrows from the other. A link takes three leaves: 3k as c, 3k + 1 as d, 3k + 2 as a. Each flips
/// against the leaf before it in its link, and c against leaf 0, so a sum comes up to the sign of
/// leaf 0. A leaf that counts negative brings its constant with the wrong sign: count_i, in the
/// free bits above leaf 0, makes up for it. Leaf q is taken Skew cycles later than leaf 1:
/// q / 3, and two more when it is c. Latency: Leaves / 3 links, rounded up, and four cycles.
module tt_sum_chain #(
  /// Leaves, 2..32.
  parameter int unsigned Leaves = 15,
  /// Bits of a leaf.
  parameter int unsigned LeafBits = 10,
  /// Bits of the number of leaves.
  localparam int unsigned CountBits = $clog2(Leaves),
  /// Bits of a sum.
  localparam int unsigned SumBits = LeafBits + CountBits
) (
  /// Clock.
  input  logic                         clk_i,
  /// Leaf q of slot h in bits LeafBits * (h * Leaves + q) up, plus 2 ** (LeafBits - 1).
  input  logic [2*LeafBits*Leaves-1:0] leaves_i,
  /// Bit q: leaf q flips; with leaf q.
  input  logic [Leaves-1:1]            flip_i,
  /// Leaves whose sign is not that of leaf 0; with leaf 0.
  input  logic [CountBits-1:0]         count_i,
  /// Sum of slot h in bits SumBits * h up, plus 2 ** (SumBits - 1).
  output logic [2*SumBits-1:0]         sums_o
);
  localparam int unsigned Links = (Leaves + 2) / 3;
  // Of every leaf 2 ** (LeafBits - 1) is there already.
  localparam logic [SumBits-1:0] Rest =
      SumBits'(2 ** (SumBits - 1) - Leaves * 2 ** (LeafBits - 1));

  if (Leaves < 2 || Leaves > 32 || LeafBits + SumBits > 25) begin : gen_bad_leaves
    $fatal(1, "tt_sum_chain: 2 to 32 leaves, and two of them in 25 bits");
  end

  for (genvar k = 0; k < Links; k++) begin : gen_link
    logic [6*SumBits-1:0] operand;  // c, d, a from the lowest bits up
    logic [2:0]           minus;
    logic [47:0]          so_far, chain, sum;

    for (genvar j = 0; j < 3; j++) begin : gen_operand
      localparam int unsigned Leaf = 3 * k + j;
      if (Leaf < Leaves) begin : gen_leaf
        for (genvar h = 0; h < 2; h++) begin : gen_slot
          assign operand[SumBits*(2*j+h) +: SumBits] = {Leaf == 0 ? count_i : CountBits'(0),
              leaves_i[LeafBits*(h*Leaves+Leaf) +: LeafBits]};
        end
        if (Leaf == 0) begin : gen_plus
          assign minus[j] = 1'b0;
        end else begin : gen_flip
          assign minus[j] = flip_i[Leaf];
        end
      end else begin : gen_none
        assign operand[2*SumBits*j +: 2*SumBits] = '0;
        assign minus[j] = 1'b0;
      end
    end

    if (k == 0) begin : gen_first
      assign so_far = '0;
    end else begin : gen_next
      assign so_far = gen_link[k-1].chain;
    end

    tt_dsp_link #(.First(k == 0), .Start(48'({Rest, Rest}))) u_link (
      .clk_i,
      .a_i      (27'(operand[4*SumBits +: 2*SumBits])),
      .d_i      (27'(operand[2*SumBits +: 2*SumBits])),
      .minus_a_i(minus[2]),
      .minus_d_i(minus[1]),
      .c_i      (48'(operand[2*SumBits-1:0])),
      .minus_c_i(minus[0]),
      .chain_i  (so_far),
      .chain_o  (chain),
      .sum_o    (sum)
    );
    // The cascade ends at the last link, the sum is taken there alone.
    logic [2*SumBits-1:0] fields;
    logic                 unused;
    assign fields = sum[2*SumBits-1:0];
    assign unused = ^{chain, sum, fields};
  end

  assign sums_o = gen_link[Links-1].fields;
endmodule

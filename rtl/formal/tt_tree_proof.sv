/// Proof: the adder tree with its signs kept outside is the signed sum of its leaves.
///
/// Arbitrary leaves and signs are held; once they have passed the tree, the sum with the pending
/// sign of the root must be the sum of every leaf with its own sign.
module tt_tree_proof #(
  /// Leaves of the tree.
  parameter int unsigned Leaves = 5,
  /// Bits of a leaf; the most negative value does not occur in a table and is excluded.
  parameter int unsigned LeafBits = 10,
  /// Bits of the sum.
  localparam int unsigned SumBits = LeafBits + $clog2(Leaves)
) (
  /// Clock.
  input logic clk_i
);
  localparam int unsigned Latency = $clog2(Leaves) + 1;

  (* anyconst *) logic [LeafBits*Leaves-1:0] leaves;
  (* anyconst *) logic [Leaves-1:0]          signs;

  logic [3:0] cycle_q = '0;
  always_ff @(posedge clk_i) cycle_q <= cycle_q + 4'(cycle_q != '1);

  logic [Leaves-1:1]  flip;
  logic               root_sign;
  logic [SumBits-1:0] sum;

  tt_tree_signs #(.Leaves(Leaves)) u_signs (
    .clk_i,
    .sign_i(signs),
    .flip_o(flip),
    .sign_o(root_sign)
  );

  tt_adder_tree #(.Leaves(Leaves), .LeafBits(LeafBits)) u_tree (
    .clk_i,
    .leaves_i(leaves),
    .flip_i  (flip),
    .sum_o   (sum)
  );

  logic signed [SumBits:0] claim, expected;
  assign claim = root_sign ? (SumBits+1)'(0) - (SumBits+1)'($signed(sum))
                           : (SumBits+1)'($signed(sum));

  always_comb begin
    expected = '0;
    for (int i = 0; i < Leaves; i++) begin
      if (signs[i]) expected = expected - (SumBits+1)'($signed(leaves[LeafBits*i +: LeafBits]));
      else expected = expected + (SumBits+1)'($signed(leaves[LeafBits*i +: LeafBits]));
    end
  end

  always_comb begin
    for (int i = 0; i < Leaves; i++) begin
      assume (leaves[LeafBits*i +: LeafBits] != {1'b1, {LeafBits-1{1'b0}}});
    end
    if (cycle_q > 4'(Latency)) assert (claim == expected);
  end
endmodule

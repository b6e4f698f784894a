/// Proof: the adder tree with its signs kept outside is the signed sum of its leaves.
///
/// Leaves and signs are arbitrary and held. The sum with the pending sign of the root must be the
/// sum of every leaf with its own sign: of all leaves at once, or, for a large tree, of each leaf
/// alone, a cycle each, the others zero. A node is linear (the tree of two leaves), so the second
/// form says the same.
module tt_tree_proof #(
  /// Leaves of the tree, at most 16.
  parameter int unsigned Leaves = 5,
  /// Bits of a leaf; the most negative value does not occur in a table and is excluded.
  parameter int unsigned LeafBits = 10,
  /// One leaf at a time.
  parameter bit          Alone = 1'b0,
  /// Levels of the tree.
  localparam int unsigned Levels = $clog2(Leaves),
  /// Bits of the sum.
  localparam int unsigned SumBits = LeafBits + Levels
) (
  /// Clock.
  input logic clk_i
);
  localparam int unsigned Start  = 8;  // the signs have passed the pipeline
  localparam int unsigned Checks = Alone ? Leaves : 1;

  (* anyconst *) logic [LeafBits*Leaves-1:0] values;
  (* anyconst *) logic [Leaves-1:0]          signs;

  logic [4:0] cycle_q = '0;
  always_ff @(posedge clk_i) cycle_q <= cycle_q + 5'(cycle_q != '1);

  logic [LeafBits*Leaves-1:0] leaves;
  for (genvar i = 0; i < Leaves; i++) begin : gen_leaf
    assign leaves[LeafBits*i +: LeafBits] =
        Alone && cycle_q != 5'(Start + i) ? '0 : values[LeafBits*i +: LeafBits];
    always_comb assume (values[LeafBits*i +: LeafBits] != {1'b1, {LeafBits-1{1'b0}}});
  end

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

  logic signed [SumBits-1:0] expected, delayed, claim;
  always_comb begin
    expected = '0;
    for (int i = 0; i < Leaves; i++) begin
      if (signs[i]) expected = expected - SumBits'($signed(leaves[LeafBits*i +: LeafBits]));
      else expected = expected + SumBits'($signed(leaves[LeafBits*i +: LeafBits]));
    end
  end
  tt_delay #(.Width(SumBits), .Cycles(Levels)) u_expected (
    .clk_i,
    .data_i(expected),
    .data_o(delayed)
  );
  assign claim = (sum ^ {SumBits{root_sign}}) + SumBits'(root_sign);

  always_comb begin
    if (cycle_q >= 5'(Start + Levels) && cycle_q < 5'(Start + Levels + Checks)) begin
      assert (claim == delayed);
    end
  end
endmodule

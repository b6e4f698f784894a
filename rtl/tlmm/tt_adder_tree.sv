/// Adds signed table entries, the signs kept outside: a pipelined tree, a level a cycle.
///
/// A node is the sum of its leaves up to the sign of its first leaf: it adds its right half, or
/// subtracts it when the signs of the first leaves of its halves differ (flip). A node is known by
/// the first leaf k of its right half, and lies on level ctz(k) + 1. What leaves the root is the
/// sum up to the sign of leaf 0. Latency: Levels cycles.
module tt_adder_tree #(
  /// Leaves, at least 2.
  parameter int unsigned Leaves = 15,
  /// Bits of a leaf.
  parameter int unsigned LeafBits = 10,
  /// Levels of the tree.
  localparam int unsigned Levels = $clog2(Leaves),
  /// Bits of the sum: one more a level.
  localparam int unsigned SumBits = LeafBits + Levels
) (
  /// Clock.
  input  logic                       clk_i,
  /// Leaf q in bits LeafBits*q up, signed.
  input  logic [LeafBits*Leaves-1:0] leaves_i,
  /// Bit k: node k subtracts. Sampled ctz(k) cycles after the leaves.
  input  logic [Leaves-1:1]          flip_i,
  /// The sum, signed.
  output logic [SumBits-1:0]         sum_o
);
  for (genvar l = 0; l <= Levels; l++) begin : gen_level
    localparam int unsigned Width = LeafBits + l;
    localparam int unsigned Nodes = (Leaves + 2 ** l - 1) >> l;
    logic [Width*Nodes-1:0] node;
    if (l == 0) begin : gen_leaves
      assign node = leaves_i;
    end else begin : gen_nodes
      localparam int unsigned HalfWidth = Width - 1;
      for (genvar n = 0; n < Nodes; n++) begin : gen_node
        localparam int unsigned Right = (2 * n + 1) * 2 ** (l - 1);  // first leaf of the right half
        logic [HalfWidth-1:0] left;
        logic [Width-1:0]     node_q;
        assign left = gen_level[l-1].node[HalfWidth*2*n +: HalfWidth];
        if (Right < Leaves) begin : gen_add
          logic [HalfWidth-1:0] right;
          logic                 flip, unused;
          assign right = gen_level[l-1].node[HalfWidth*(2*n+1) +: HalfWidth];
          assign flip  = flip_i[Right];
          // The extra low bit carries the one of the two's complement.
          always_ff @(posedge clk_i) begin
            {node_q, unused} <= {left[HalfWidth-1], left, flip}
                              + {{right[HalfWidth-1], right} ^ {Width{flip}}, flip};
          end
        end else begin : gen_pass
          always_ff @(posedge clk_i) node_q <= {left[HalfWidth-1], left};
        end
        assign node[Width*n +: Width] = node_q;
      end
    end
  end

  assign sum_o = gen_level[Levels].node;
endmodule

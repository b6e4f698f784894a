/// Counts leading zeros, a tree of pairs. Combinational.
module tt_float_lzc #(
  /// Bits of the value, at least 2.
  parameter int unsigned Width = 24,
  /// Bits of the count.
  localparam int unsigned CountBits = $clog2(Width)
) (
  /// The value.
  input  logic [Width-1:0]     value_i,
  /// Zeros above the highest one; of no meaning when there is none.
  output logic [CountBits-1:0] count_o,
  /// The value is zero.
  output logic                 none_o
);
  localparam int unsigned Leaves = 2 ** CountBits;

  // A node at level l stands for 2^l bits: no one among them, or its place from the top.
  for (genvar l = 0; l <= CountBits; l++) begin : gen_level
    localparam int unsigned Nodes = Leaves >> l;
    logic [Nodes-1:0] none;
    if (l == 0) begin : gen_leaves
      assign none = ~(Leaves'(value_i) << (Leaves - Width));
    end else begin : gen_nodes
      // Bits 2^l-node wide counts: l bits a node.
      logic [l*Nodes-1:0] count;
      for (genvar n = 0; n < Nodes; n++) begin : gen_node
        logic high_none;
        assign high_none = gen_level[l-1].none[2*n+1];
        assign none[n]   = high_none & gen_level[l-1].none[2*n];
        if (l == 1) begin : gen_first
          assign count[n] = high_none;
        end else begin : gen_more
          logic [l-2:0] high, low;
          assign high = gen_level[l-1].gen_nodes.count[(l-1)*(2*n+1) +: l-1];
          assign low  = gen_level[l-1].gen_nodes.count[(l-1)*(2*n) +: l-1];
          assign count[l*n +: l] = {high_none, high_none ? low : high};
        end
      end
    end
  end

  assign none_o  = gen_level[CountBits].none[0];
  assign count_o = gen_level[CountBits].gen_nodes.count;
endmodule

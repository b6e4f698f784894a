/// The signs of a row for its adder trees: shared by all slots, since signs belong to weights.
///
/// Node k of the tree subtracts when the sign of leaf k, the first of its right half, differs from
/// that of the first leaf of its left half, which is k without its lowest set bit.
module tt_tree_signs #(
  /// Leaves, at least 2.
  parameter int unsigned Leaves = 15
) (
  /// Clock.
  input  logic              clk_i,
  /// Sign of each leaf, in the cycle in which the tables are read.
  input  logic [Leaves-1:0] sign_i,
  /// Bit k: node k subtracts; ctz(k) + 1 cycles later.
  output logic [Leaves-1:1] flip_o,
  /// The sign that is pending at the root, $clog2(Leaves) + 1 cycles later.
  output logic              sign_o
);
  // Trailing zeros of k.
  function automatic int unsigned ctz(input int unsigned k);
    ctz = 0;
    while (((k >> ctz) & 1) == 0) ctz = ctz + 1;
  endfunction

  for (genvar k = 1; k < Leaves; k++) begin : gen_node
    localparam int unsigned Level = ctz(k);
    tt_delay #(.Width(1), .Cycles(Level + 1)) u_flip (
      .clk_i,
      .data_i(sign_i[k] ^ sign_i[k-(1<<Level)]),
      .data_o(flip_o[k])
    );
  end

  tt_delay #(.Width(1), .Cycles($clog2(Leaves) + 1)) u_sign (
    .clk_i,
    .data_i(sign_i[0]),
    .data_o(sign_o)
  );
endmodule

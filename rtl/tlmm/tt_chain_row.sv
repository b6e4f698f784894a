/// What the chains of a row need, each bit when its link takes it: shared by all slots, since
/// indices and signs belong to weights.
module tt_chain_row #(
  /// Groups of the row: leaves of its chains.
  parameter int unsigned Groups = 15,
  /// Bits of the number of leaves.
  localparam int unsigned CountBits = $clog2(Groups)
) (
  /// Clock.
  input  logic                 clk_i,
  /// Index of group g in bits 4g+3..4g.
  input  logic [4*Groups-1:0]  index_i,
  /// Sign of each group, with its index.
  input  logic [Groups-1:0]    sign_i,
  /// The indices, as tt_chain_skew delays them.
  output logic [4*Groups-1:0]  index_o,
  /// Which leaves flip, delayed alike.
  output logic [Groups-1:1]    flip_o,
  /// How many signs are not that of group 0, two cycles later.
  output logic [CountBits-1:0] count_o,
  /// The sign that is pending at the sum, when tt_sum_chain gives the sum.
  output logic                 sign_o
);
  logic [5*Groups-1:0]  leaves, skewed;
  logic [Groups-1:0]    other_q;
  logic [CountBits-1:0] count, count_q;

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    // The leaf that it flips against.
    localparam int unsigned Against = g % 3 == 0 ? 0 : g - 1;
    assign leaves[5*g +: 5]  = {sign_i[g] ^ sign_i[Against], index_i[4*g +: 4]};
    assign index_o[4*g +: 4] = skewed[5*g +: 4];
    if (g > 0) begin : gen_flip
      assign flip_o[g] = skewed[5*g+4];
    end
  end

  tt_chain_skew #(.Leaves(Groups), .Width(5)) u_skew (
    .clk_i,
    .data_i(leaves),
    .data_o(skewed)
  );

  always_comb begin
    count = '0;
    for (int unsigned g = 1; g < Groups; g++) count = count + CountBits'(other_q[g]);
  end

  always_ff @(posedge clk_i) begin
    other_q <= sign_i ^ {Groups{sign_i[0]}};
    count_q <= count;
  end
  assign count_o = count_q;

  tt_delay #(.Width(1), .Cycles((Groups + 2) / 3 + 3)) u_sign (
    .clk_i,
    .data_i(sign_i[0]),
    .data_o(sign_o)
  );

  logic unused;
  assign unused = ^{skewed[4], other_q[0]};
endmodule

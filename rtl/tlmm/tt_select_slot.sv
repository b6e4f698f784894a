/// A slot without tables: its activations and its adder trees.
///
/// The activations of the next block wait beside those of this one. Every row takes an activation
/// where its trit is not zero and clears the register of the leaf where it is: selecting costs
/// flip-flops and no LUT. Latency from trit to sum: one cycle, and one a level of the trees.
module tt_select_slot #(
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Columns of a block.
  parameter int unsigned Columns = 45,
  /// Bits of a sum: activations of 8 bits, one more a level.
  localparam int unsigned SumBits = 8 + $clog2(Columns)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Take the activations of the next block.
  input  logic                        load_i,
  /// Activation of column c, int8, in bits 8c+7..8c.
  input  logic [8*Columns-1:0]        act_data_i,
  /// The next block becomes this one.
  input  logic                        swap_i,
  /// Trit c of row r, in bit r * Columns + c, is zero.
  input  logic [Columns*Rows-1:0]     zero_i,
  /// Which nodes subtract, Columns - 1 bits a row, timed as tt_tree_signs gives them.
  input  logic [(Columns-1)*Rows-1:0] flip_i,
  /// Sum of row r in bits SumBits*r up, signed, up to the sign of column 0.
  output logic [SumBits*Rows-1:0]     sums_o
);
  logic [8*Columns-1:0] next_q, block_q;

  always_ff @(posedge clk_i) begin
    if (load_i) next_q <= act_data_i;
    if (swap_i) block_q <= next_q;
  end

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    logic [8*Columns-1:0] leaves_q;
    for (genvar c = 0; c < Columns; c++) begin : gen_leaf
      always_ff @(posedge clk_i) begin
        if (zero_i[Columns*r+c]) leaves_q[8*c +: 8] <= '0;
        else leaves_q[8*c +: 8] <= block_q[8*c +: 8];
      end
    end
    tt_adder_tree #(.Leaves(Columns), .LeafBits(8)) u_tree (
      .clk_i,
      .leaves_i(leaves_q),
      .flip_i  (flip_i[(Columns-1)*r +: Columns-1]),
      .sum_o   (sums_o[SumBits*r +: SumBits])
    );
  end
endmodule

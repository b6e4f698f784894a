/// Delays what belongs to a leaf until its link of tt_sum_chain takes it.
///
/// Leaf q waits q / 3 cycles, and two more when it is the first of its link, in flip-flops: of these
/// there is plenty beside the LUTs that a shift register would take.
module tt_chain_skew #(
  /// Leaves.
  parameter int unsigned Leaves = 15,
  /// Bits of a leaf.
  parameter int unsigned Width = 1
) (
  /// Clock.
  input  logic                    clk_i,
  /// Leaf q in bits Width*q up.
  input  logic [Width*Leaves-1:0] data_i,
  /// The same, each at its time.
  output logic [Width*Leaves-1:0] data_o
);
  for (genvar q = 0; q < Leaves; q++) begin : gen_leaf
    localparam int unsigned Cycles = q / 3 + (q % 3 == 0 ? 2 : 0);
    if (Cycles == 0) begin : gen_now
      assign data_o[Width*q +: Width] = data_i[Width*q +: Width];
    end else begin : gen_later
      (* keep *) (* shreg_extract = "no" *)
      logic [Width*Cycles-1:0] pipe_q;
      always_ff @(posedge clk_i) begin
        pipe_q <= (Width * Cycles)'({pipe_q, data_i[Width*q +: Width]});
      end
      assign data_o[Width*q +: Width] = pipe_q[Width*Cycles-1 -: Width];
    end
  end
endmodule

/// Delays a word by a fixed number of cycles. No reset: qualify it with a valid bit that has one.
module tt_delay #(
  /// Bits of the word.
  parameter int unsigned Width = 1,
  /// Cycles of delay, at least 1.
  parameter int unsigned Cycles = 1
) (
  /// Clock.
  input  logic             clk_i,
  /// The word.
  input  logic [Width-1:0] data_i,
  /// The word of Cycles cycles ago.
  output logic [Width-1:0] data_o
);
  logic [Cycles-1:0][Width-1:0] pipe_q;

  if (Cycles == 1) begin : gen_one
    always_ff @(posedge clk_i) pipe_q <= data_i;
  end else begin : gen_more
    always_ff @(posedge clk_i) pipe_q <= {pipe_q[Cycles-2:0], data_i};
  end

  assign data_o = pipe_q[Cycles-1];
endmodule

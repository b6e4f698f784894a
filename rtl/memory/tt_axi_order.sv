/// Whose turn it is, of two masters: bursts in the order in which they were taken.
///
/// The oldest is always at the lowest place, so it is there in the cycle after it was taken.
module tt_axi_order #(
  /// Bursts that it holds.
  parameter int unsigned Depth = 32
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: none.
  input  logic rst_ni,
  /// A burst is taken; only with room_o.
  input  logic push_i,
  /// Whose.
  input  logic master_i,
  /// There is room for one more; depends on registers alone.
  output logic room_o,
  /// There is a burst.
  output logic valid_o,
  /// Whose the oldest is.
  output logic master_o,
  /// The oldest is over; only with valid_o.
  input  logic pop_i
);
  localparam int unsigned CountBits = $clog2(Depth + 1);

  logic [Depth-1:0]     whose_q;
  logic [CountBits-1:0] count_q, place;

  assign place    = count_q - CountBits'(pop_i);
  assign room_o   = count_q != CountBits'(Depth);
  assign valid_o  = count_q != '0;
  assign master_o = whose_q[0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else count_q <= place + CountBits'(push_i);
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < Depth; i++) begin
      if (push_i && 32'(place) == i) whose_q[i] <= master_i;
      else if (pop_i) whose_q[i] <= i + 1 < Depth ? whose_q[(i + 1) % Depth] : 1'b0;
    end
  end
endmodule

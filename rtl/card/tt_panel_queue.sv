/// The panels whose sums no command has taken, oldest first.
module tt_panel_queue
#(
  /// Panels that are held, at most 7.
  parameter int unsigned Depth = 4
) (
  /// Clock.
  input  logic       clk_i,
  /// Asynchronous reset, active low: none.
  input  logic       rst_ni,
  /// A panel enters; only with room for it.
  input  logic       push_i,
  /// The panel.
  input  tt_card_pkg::panel_t     panel_i,
  /// The oldest panel leaves; only if there is one.
  input  logic       pop_i,
  /// Panels held.
  output logic [2:0] count_o,
  /// The oldest one.
  output tt_card_pkg::panel_t     panel_o
);
  localparam int unsigned PanelBits = 18;

  logic [2:0]                      count_q, place;
  logic [Depth-1:0][PanelBits-1:0] panels_q;  // oldest lowest

  assign place   = count_q - 3'(pop_i);
  assign count_o = count_q;
  assign panel_o = panels_q[0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else count_q <= place + 3'(push_i);
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < Depth; p++) begin
      if (push_i && place == 3'(p)) panels_q[p] <= panel_i;
      else if (pop_i && p + 1 < Depth) panels_q[p] <= panels_q[(p+1)%Depth];
    end
  end
endmodule

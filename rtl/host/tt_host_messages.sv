/// Interrupts as messages: events wait and merge until their vector is taken.
module tt_host_messages (
  /// Clock.
  input  logic       clk_i,
  /// Asynchronous reset, active low: no message.
  input  logic       rst_ni,
  /// Vector v is asked for.
  input  logic [1:0] event_i,
  /// A message is offered; it holds until taken.
  output logic       irq_valid_o,
  /// Its vector; 1 goes first.
  output logic       irq_vector_o,
  /// The message is taken.
  input  logic       irq_ready_i
);
  logic [1:0] waits_q, offered;

  assign offered = irq_vector_o ? 2'b10 : 2'b01;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      waits_q      <= '0;
      irq_valid_o  <= 1'b0;
      irq_vector_o <= 1'b0;
    end else if (irq_valid_o && !irq_ready_i) begin
      // What is offered already is this event's message as well.
      waits_q <= (waits_q | event_i) & ~offered;
    end else begin
      irq_valid_o  <= waits_q != '0;
      irq_vector_o <= waits_q[1];
      waits_q      <= (waits_q & ~(waits_q[1] ? 2'b10 : 2'b01)) | event_i;
    end
  end
endmodule

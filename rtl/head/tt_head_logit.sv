/// From an exact product to the key of its logit: binary32(dot) * (step of the row * step of x).
///
/// The order of keys is the ranking: greater logit first, then the lower token. A NaN ranks as minus
/// infinity; a bit below the token remembers it. One multiplier takes turns: nothing stalls, but
/// products have to come two cycles apart at least.
module tt_head_logit #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: nothing on its way.
  input  logic                rst_ni,
  /// Step of the input of each slot; constant.
  input  logic [32*Slots-1:0] step_x_i,
  /// A product comes.
  input  logic                dot_valid_i,
  /// The product, signed.
  input  logic [31:0]         dot_i,
  /// Step of its row.
  input  logic [31:0]         dot_step_i,
  /// Its token.
  input  logic [31:0]         dot_token_i,
  /// Its slot.
  input  logic [SlotBits-1:0] dot_slot_i,
  /// A key, a pulse.
  output logic                key_valid_o,
  /// Its slot.
  output logic [SlotBits-1:0] key_slot_o,
  /// Logit in an order of unsigned numbers, inverted token, NaN, 7 zeros.
  output logic [71:0]         key_o
);
  localparam int unsigned Latency = tt_float_pkg::MulLatency;
  localparam int unsigned Convert = tt_float_pkg::FromIntLatency;

  // Even cycles multiply steps, odd ones logits. A product waits for its even cycle here; the next
  // one is two cycles behind at least.
  logic                phase_q, valid_q, launch, real_valid, result_valid, scale_valid_q;
  logic [31:0]         dot_q, step_q, step_x_q, token_q, real_dot, late_dot, scale_q, logit;
  logic [SlotBits-1:0] slot_q, slot;
  logic [31:0]         token, ordered;
  logic                nan;

  assign launch = valid_q & ~phase_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      phase_q       <= 1'b0;
      valid_q       <= 1'b0;
      scale_valid_q <= 1'b0;
    end else begin
      phase_q       <= ~phase_q;
      valid_q       <= dot_valid_i | (valid_q & phase_q);
      scale_valid_q <= result_valid & ~phase_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (dot_valid_i) begin
      dot_q    <= dot_i;
      step_q   <= dot_step_i;
      token_q  <= dot_token_i;
      slot_q   <= dot_slot_i;
      step_x_q <= step_x_i[32*dot_slot_i +: 32];
    end
    if (result_valid && !phase_q) scale_q <= logit;
  end

  tt_from_int #(
    .IntBits(32)
  ) u_real (
    .clk_i,
    .rst_ni,
    .valid_i (launch),
    .a_i     (dot_q),
    .valid_o (real_valid),
    .result_o(real_dot)
  );

  tt_delay #(
    .Width (32),
    .Cycles(Latency + 1 - Convert)
  ) u_wait (
    .clk_i,
    .data_i(real_dot),
    .data_o(late_dot)
  );

  tt_fmul u_multiply (
    .clk_i,
    .rst_ni,
    .valid_i (phase_q ? scale_valid_q : valid_q),
    .a_i     (phase_q ? late_dot : step_x_q),
    .b_i     (phase_q ? scale_q : step_q),
    .valid_o (result_valid),
    .result_o(logit)
  );

  tt_delay #(
    .Width (32 + SlotBits),
    .Cycles(1 + 2 * Latency)
  ) u_place (
    .clk_i,
    .data_i({slot_q, token_q}),
    .data_o({slot, token})
  );

  if (Latency % 2 != 0) begin : gen_bad_latency
    $fatal(1, "tt_head_logit: the phases need an even latency");
  end

  assign nan = logit[30:23] == 8'hff && logit[22:0] != '0;

  always_comb begin
    if (nan) ordered = ~32'hff80_0000;
    else ordered = logit[31] ? ~logit : logit | 32'h8000_0000;
  end

  assign key_valid_o = result_valid & phase_q;
  assign key_slot_o  = slot;
  assign key_o       = {ordered, ~token, nan, 7'b0};

  logic unused;
  assign unused = real_valid;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!dot_valid_i || !valid_q || launch);
    end
  end
`endif
endmodule

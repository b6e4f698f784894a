/// Proof: a table lookup is a multiply-add, for all int8 activations and all ternary weights.
///
/// Arbitrary activations of a group are walked by the real table builder into a bank of the real
/// table. Every entry must be the dot product of the activations with the trits of its value when
/// it is written. A second word follows without a gap into the other bank, which the first must
/// survive. Then all weights are looked up, a cycle each: the entry at the magnitude of their value,
/// with its sign, must be their dot product.
module tt_lookup_proof (
  /// Clock.
  input logic clk_i
);
  localparam int unsigned LookupStart = 34;                // both walks have ended
  localparam int unsigned Deadline    = LookupStart + 65;  // all answers have been checked

  (* anyconst *) logic [23:0] activations, others;
  (* anyconst *) logic        bank;

  logic [6:0] cycle_q = '0;
  logic       rst_n;
  assign rst_n = cycle_q != '0;
  always_ff @(posedge clk_i) cycle_q <= cycle_q + 7'(cycle_q != '1);

  // ---- what is meant ---------------------------------------------------------------------------
  // The dot product of weights with the activations.
  function automatic logic signed [10:0] dot(input logic [5:0] w, input logic [23:0] a);
    dot = 11'sd0;
    for (int i = 2; i >= 0; i--) begin
      if (w[2*i]) dot = dot + 11'($signed(a[8*i +: 8]));
      if (w[2*i+1]) dot = dot - 11'($signed(a[8*i +: 8]));
    end
  endfunction

  // The value of weights, -13..13.
  function automatic logic signed [5:0] value(input logic [5:0] w);
    value = 6'(w[0]) - 6'(w[1]) + 6'sd3 * (6'(w[2]) - 6'(w[3])) + 6'sd9 * (6'(w[4]) - 6'(w[5]));
  endfunction

  // The weights of every value 0..13, found by search; six bits each.
  function automatic logic [6*14-1:0] inverses();
    int v;
    for (int w = 0; w < 64; w++) begin
      v = (w & 1) - ((w >> 1) & 1) + 3 * (((w >> 2) & 1) - ((w >> 3) & 1))
        + 9 * (((w >> 4) & 1) - ((w >> 5) & 1));
      if (v >= 0 && (w & 3) != 3 && ((w >> 2) & 3) != 3 && ((w >> 4) & 3) != 3) begin
        inverses[6*v +: 6] = 6'(w);
      end
    end
  endfunction
  localparam logic [6*14-1:0] Inverses = inverses();

  // The weights of a cycle, three of {negative, positive}, and those whose entry has arrived.
  logic [5:0]        weights, arrived_q;
  logic signed [5:0] signed_index;
  logic [3:0]        index;
  logic              sign_q, legal;
  assign weights      = 6'(cycle_q - 7'(LookupStart));
  assign signed_index = value(weights);
  assign index        = 4'(signed_index < 0 ? 6'd0 - signed_index : signed_index);
  assign legal        = (arrived_q & {arrived_q[4:0], 1'b0} & 6'b101010) == '0;
  always_ff @(posedge clk_i) begin
    arrived_q <= weights;
    sign_q    <= signed_index < 0;
  end

  // ---- the circuit -----------------------------------------------------------------------------
  logic [1:0] taken_q;
  logic       valid, ready, write, tag;
  logic [3:0] write_value;
  logic [9:0] written, entry;

  assign valid = rst_n && taken_q != 2'd2;
  always_ff @(posedge clk_i or negedge rst_n) begin
    if (!rst_n) taken_q <= '0;
    else if (valid && ready) taken_q <= taken_q + 1'b1;
  end

  tt_table_builder #(.Groups(1), .TagBits(1)) u_builder (
    .clk_i,
    .rst_ni   (rst_n),
    .valid_i  (valid),
    .ready_o  (ready),
    .data_i   (taken_q[0] ? others : activations),
    .tag_i    (bank ^ taken_q[0]),
    .write_o  (write),
    .value_o  (write_value),
    .entries_o(written),
    .tag_o    (tag)
  );

  tt_table #(.Rows(1)) u_table (
    .clk_i,
    .write_i        (write),
    .write_address_i({tag, write_value}),
    .write_data_i   (written),
    .bank_i         (bank),
    .index_i        (index),
    .entry_o        (entry)
  );

  // ---- the claims ------------------------------------------------------------------------------
  always_comb begin
    if (write) assert (write_value <= 4'd13);
    if (write && tag == bank) begin
      assert (11'($signed(written)) == dot(Inverses[6*write_value +: 6], activations));
    end
    if (cycle_q == 7'(LookupStart)) assert (taken_q == 2'd2 && !write);
    if (cycle_q > 7'(LookupStart) && cycle_q < 7'(Deadline) && legal) begin
      assert ((11'($signed(entry)) ^ {11{sign_q}}) + 11'(sign_q) == dot(arrived_q, activations));
    end
  end
endmodule

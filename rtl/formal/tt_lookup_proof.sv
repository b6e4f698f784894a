/// Proof: a table lookup is a multiply-add, for all activations and all weights of a unit.
///
/// Two words of arbitrary int8 activations are walked back to back by the real table builder into
/// both banks of a real table; arbitrary trits are packed as docs/engine.md says and decoded by the
/// real decoder; then the entry of an arbitrary group and bank, with its sign, must be the sum of
/// products of its three trits with the activations of that bank.
module tt_lookup_proof (
  /// Clock.
  input logic clk_i
);
  localparam int unsigned Deadline = 34;  // cycle in which everything must have been checked

  (* anyconst *) logic [47:0] activations;  // two words of three
  (* anyconst *) logic [29:0] trits;        // 15 of {negative, positive}
  (* anyconst *) logic [2:0]  group;
  (* anyconst *) logic        bank;

  logic [5:0] cycle_q = '0;
  logic       rst_n;
  assign rst_n = cycle_q != '0;
  always_ff @(posedge clk_i) cycle_q <= cycle_q + 6'(cycle_q != '1);

  // ---- the unit, packed as the reference says --------------------------------------------------
  function automatic logic signed [5:0] value(input logic [5:0] t);
    value = 6'(t[0]) - 6'(t[1]) + 6'sd3 * (6'(t[2]) - 6'(t[3])) + 6'sd9 * (6'(t[4]) - 6'(t[5]));
  endfunction

  function automatic logic [1:0] unsigned_trit(input logic [1:0] t);
    unsigned_trit = t;  // {negative, positive}: 0, 1 and 2 for -1
  endfunction

  function automatic logic [7:0] pack(input logic [5:0] triple, input logic [3:0] pair);
    logic signed [5:0] v;
    logic [4:0] c;
    logic [3:0] p;
    v = value(triple);
    c = v < 0 ? {4'(-v), 1'b1} : {4'(v), 1'b0};
    p = 4'(unsigned_trit(pair[1:0])) + 4'd3 * 4'(unsigned_trit(pair[3:2]));
    pack = p == 4'd8 ? {c[4:2], 3'd7, c[1:0]} : {p[2:0], c};
  endfunction

  logic [23:0] packed_unit;
  assign packed_unit = {pack(trits[17:12], trits[29:26]), pack(trits[11:6], trits[25:22]),
                        pack(trits[5:0], trits[21:18])};

  always_comb begin
    assume (group < 3'd5);
    for (int i = 0; i < 15; i++) assume (trits[2*i +: 2] != 2'b11);
  end

  // ---- the circuit -----------------------------------------------------------------------------
  logic [19:0] index;
  logic [4:0]  sign;
  tt_trit_decoder u_decoder (.unit_i(packed_unit), .index_o(index), .sign_o(sign));

  logic [1:0] taken_q;
  logic       valid, ready, write, tag;
  logic [3:0] entry_value;
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
    .data_i   (taken_q[0] ? activations[47:24] : activations[23:0]),
    .tag_i    (taken_q[0]),
    .write_o  (write),
    .value_o  (entry_value),
    .entries_o(written),
    .tag_o    (tag)
  );

  tt_table #(.Rows(1)) u_table (
    .clk_i,
    .write_i        (write),
    .write_address_i({tag, entry_value}),
    .write_data_i   (written),
    .bank_i         (bank),
    .index_i        (index[4*group +: 4]),
    .entry_o        (entry)
  );

  // ---- the claim -------------------------------------------------------------------------------
  logic built_q;
  always_ff @(posedge clk_i or negedge rst_n) begin
    if (!rst_n) built_q <= 1'b0;
    else built_q <= taken_q == 2'd2 && !write;
  end

  logic signed [10:0] product, signed_entry;
  logic [5:0]         weights;
  logic [23:0]        word;
  logic signed [10:0] operand;
  assign weights      = trits[6*group +: 6];
  assign word         = bank ? activations[47:24] : activations[23:0];
  assign signed_entry = (11'($signed(entry)) ^ {11{sign[group]}}) + 11'(sign[group]);

  always_comb begin
    product = '0;
    for (int i = 0; i < 3; i++) begin
      operand = 11'($signed(word[8*i +: 8]));
      if (weights[2*i]) product = product + operand;
      if (weights[2*i+1]) product = product - operand;
    end
  end

  always_comb begin
    if (built_q) assert (signed_entry == product);
    if (cycle_q == 6'(Deadline)) assert (built_q);
  end
endmodule

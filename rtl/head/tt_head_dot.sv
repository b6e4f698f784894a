/// Exact integer products of rows with the slots' inputs, a beat a cycle.
///
/// A row is beats of int8 elements, then its step in the last beat. In single mode a row belongs to
/// one slot; otherwise every slot of heads_i uses a beat before the next one is taken. After the
/// start of a row's last beat nothing stalls: `room_i` has to promise a place for its result.
///
/// Results are at least two cycles apart. Stages: beat and address; read of the input; chains of four
/// products; a tree over the chains with four branches a level; sum of the slot.
module tt_head_dot #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64,
  /// Bits of an address of the inputs.
  parameter int unsigned AddressBits = 10,
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Bits of a number of a word of 32 bits in a beat.
  localparam int unsigned WordBits = $clog2(BeatBytes) - 2
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no row.
  input  logic                   rst_ni,
  /// Begins with the first of heads_i.
  input  logic                   start_i,
  /// Every row is for all of heads_i; constant.
  input  logic                   all_i,
  /// Slots of a row, at least one; constant.
  input  logic [Slots-1:0]       heads_i,
  /// Beats of a row; constant.
  input  logic [15:0]            row_beats_i,
  /// Words of an input; constant.
  input  logic [15:0]            input_words_i,
  /// Word of 32 bits of the last beat that holds the step; constant.
  input  logic [WordBits-1:0]    step_word_i,
  /// A row is expected.
  input  logic                   row_valid_i,
  /// Its last beat is taken.
  output logic                   row_ready_o,
  /// Its token.
  input  logic [31:0]            row_token_i,
  /// Its slot, unless all_i.
  input  logic [SlotBits-1:0]    row_slot_i,
  /// A beat is offered.
  input  logic                   beat_valid_i,
  /// The beat is taken at the end of this cycle.
  output logic                   beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0] beat_data_i,
  /// Reads a word of the inputs.
  output logic                   q_read_o,
  /// Word to read.
  output logic [AddressBits-1:0] q_address_o,
  /// That word, one cycle later.
  input  logic [8*BeatBytes-1:0] q_data_i,
  /// A result may be begun.
  input  logic                   room_i,
  /// A result is begun.
  output logic                   begun_o,
  /// A result, a pulse.
  output logic                   dot_valid_o,
  /// The product.
  output logic [31:0]            dot_o,
  /// Step of the row.
  output logic [31:0]            dot_step_o,
  /// Token of the row.
  output logic [31:0]            dot_token_o,
  /// Slot.
  output logic [SlotBits-1:0]    dot_slot_o
);
  localparam int unsigned Chained = 8;                            // stage of the chains' sums
  localparam int unsigned Levels  = ($clog2(BeatBytes) - 1) / 2;  // of the tree
  localparam int unsigned SumBits = 18 + 2 * Levels;
  localparam int unsigned Stages  = Chained + Levels;             // stage of the beat's sum

  // ---- which beat for which slot -----------------------------------------------------------------
  logic [15:0]         beat_q;
  logic [SlotBits-1:0] turn_q, first_slot, next_slot, slot;
  logic [Slots-1:0]    rest_q;  // slots after turn_q
  logic                issue, last_beat, last_slot, begun_q;

  always_comb begin
    first_slot = '0;
    next_slot  = '0;
    for (int unsigned s = Slots; s > 0; s--) begin
      if (heads_i[s-1]) first_slot = SlotBits'(s - 1);
      if (rest_q[s-1]) next_slot = SlotBits'(s - 1);
    end
  end

  assign slot         = all_i ? turn_q : row_slot_i;
  assign last_beat    = beat_q + 16'd1 == row_beats_i;
  assign last_slot    = ~all_i | (rest_q == '0);
  assign issue        = row_valid_i & beat_valid_i & ((room_i & ~begun_q) | ~last_beat);
  assign begun_o      = issue & last_beat;
  assign beat_ready_o = issue & last_slot;
  assign row_ready_o  = beat_ready_o & last_beat;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      beat_q  <= '0;
      turn_q  <= '0;
      rest_q  <= '0;
      begun_q <= 1'b0;
    end else begin
      begun_q <= begun_o;
      if (beat_ready_o) beat_q <= last_beat ? '0 : beat_q + 1'b1;
      if (start_i || (issue && last_slot)) begin
        turn_q <= first_slot;
        rest_q <= heads_i & (heads_i - 1'b1);
      end else if (issue) begin
        turn_q <= next_slot;
        rest_q <= rest_q & (rest_q - 1'b1);
      end
    end
  end

  // ---- beat and input ----------------------------------------------------------------------------
  logic [Stages:1]        valid_q;
  logic [8*BeatBytes-1:0] beat1_q, beat2_q;
  logic [AddressBits-1:0] address_q;
  logic                   used_q;
  logic [31:0]            step;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Stages-1:1], issue};
  end

  always_ff @(posedge clk_i) begin
    if (issue) begin
      beat1_q   <= beat_data_i;
      address_q <= AddressBits'(slot) * AddressBits'(input_words_i) + AddressBits'(beat_q);
      used_q    <= beat_q < input_words_i;
    end
    if (valid_q[1]) beat2_q <= beat1_q;
  end

  assign q_read_o    = valid_q[1] & used_q;
  assign q_address_o = address_q;

  assign step = beat1_q[32*step_word_i +: 32];

  // ---- products: four in a chain, as a multiplier's adder has it ----------------------------------
  // Byte k of a chain is k cycles late: s_k = s_(k-1) + w_k x_k.
  localparam int unsigned Chains = BeatBytes / 4;

  logic [18*Chains-1:0] chain_sums;

  for (genvar c = 0; c < Chains; c++) begin : gen_chain
    for (genvar k = 0; k < 4; k++) begin : gen_byte
      localparam int unsigned Byte = 8 * (4 * c + k);
      logic [16*(k+1)-1:0] operand_q;  // weight and value, newest in the low bits
      logic signed [7:0]   weight, value;
      logic signed [15:0]  product_q;
      logic signed [17:0]  sum_q;

      assign weight = $signed(operand_q[16*k+8 +: 8]);
      assign value  = $signed(operand_q[16*k +: 8]);

      always_ff @(posedge clk_i) begin
        if (valid_q[2]) operand_q[15:0] <= {beat2_q[Byte +: 8], q_data_i[Byte +: 8]};
        if (valid_q[3+k]) product_q <= weight * value;
      end
      for (genvar d = 1; d <= k; d++) begin : gen_late
        always_ff @(posedge clk_i) begin
          if (valid_q[2+d]) operand_q[16*d +: 16] <= operand_q[16*(d-1) +: 16];
        end
      end
      if (k == 0) begin : gen_first
        always_ff @(posedge clk_i) begin
          if (valid_q[4]) sum_q <= 18'(product_q);
        end
      end else begin : gen_add
        always_ff @(posedge clk_i) begin
          if (valid_q[4+k]) sum_q <= gen_chain[c].gen_byte[k-1].sum_q + 18'(product_q);
        end
      end
    end
    assign chain_sums[18*c +: 18] = gen_chain[c].gen_byte[3].sum_q;
  end

  // ---- tree over the chains -----------------------------------------------------------------------
  for (genvar l = 0; l <= Levels; l++) begin : gen_level
    localparam int unsigned Width = 18 + 2 * l;
    localparam int unsigned Nodes = (Chains + 4 ** l - 1) / 4 ** l;
    logic [Width*Nodes-1:0] node_q;
    if (l == 0) begin : gen_leaves
      assign node_q = chain_sums;
    end else begin : gen_sums
      localparam int unsigned From  = (Chains + 4 ** (l - 1) - 1) / 4 ** (l - 1);
      localparam int unsigned Below = Width - 2;
      logic [Below*4*Nodes-1:0] below;
      assign below = (Below * 4 * Nodes)'(gen_level[l-1].node_q[Below*From-1:0]);
      for (genvar n = 0; n < Nodes; n++) begin : gen_node
        logic signed [Width-1:0] a, b, c, d;
        assign a = Width'($signed(below[Below*(4*n) +: Below]));
        assign b = Width'($signed(below[Below*(4*n+1) +: Below]));
        assign c = Width'($signed(below[Below*(4*n+2) +: Below]));
        assign d = Width'($signed(below[Below*(4*n+3) +: Below]));
        always_ff @(posedge clk_i) begin
          if (valid_q[Chained+l-1]) node_q[Width*n +: Width] <= (a + b) + (c + d);
        end
      end
    end
  end

  // ---- sum of a slot -----------------------------------------------------------------------------
  logic [SumBits-1:0]  beat_sum;
  logic [SlotBits-1:0] sum_slot;
  logic                sum_first, sum_last, sum_used;
  logic [31:0]         total, sums [Slots];

  assign beat_sum = gen_level[Levels].node_q;

  // Slot, first, last and used go along from the issue; step and token from the first stage.
  tt_delay #(
    .Width (SlotBits + 3),
    .Cycles(Stages)
  ) u_place (
    .clk_i,
    .data_i({slot, beat_q == '0, last_beat, beat_q < input_words_i}),
    .data_o({sum_slot, sum_first, sum_last, sum_used})
  );

  logic [31:0] token1_q, sum_step, sum_token;

  always_ff @(posedge clk_i) begin
    if (issue) token1_q <= row_token_i;
  end

  tt_delay #(
    .Width (64),
    .Cycles(Stages)
  ) u_step (
    .clk_i,
    .data_i({step, token1_q}),
    .data_o({sum_step, sum_token})
  );

  assign total = (sum_first ? '0 : sums[sum_slot]) + (sum_used ? 32'($signed(beat_sum)) : '0);

  logic                dot_valid_q;
  logic [31:0]         dot_q;
  logic [SlotBits-1:0] dot_slot_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) dot_valid_q <= 1'b0;
    else dot_valid_q <= valid_q[Stages] & sum_last;
  end

  always_ff @(posedge clk_i) begin
    if (valid_q[Stages]) begin
      sums[sum_slot] <= total;
      dot_q          <= total;
      dot_slot_q     <= sum_slot;
    end
  end

  // The step left its stage a cycle after the issue, so it arrives with the registered sum.
  assign dot_valid_o = dot_valid_q;
  assign dot_o       = dot_q;
  assign dot_slot_o  = dot_slot_q;
  assign dot_step_o  = sum_step;
  assign dot_token_o = sum_token;
endmodule

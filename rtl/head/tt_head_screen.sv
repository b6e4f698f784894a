/// The screen: sums of a panel times row weights; what may be among the best goes to the heaps.
///
/// A word of Lanes sums a cycle runs through weight, product (exact, 40 bits) and a comparison with
/// the slot's threshold, the root of its heap. The threshold may be old and then lets too much
/// through; the heap compares again. What passes leaves one key a cycle, and only a word with two
/// of them or more holds the ones behind it.
///
/// Stream order: chunks of ChunkWords words, in a chunk the slots, in a slot its words; the last
/// chunk may be shorter. Rows from `rows` on are ignored.
module tt_head_screen #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Sums of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Words of a chunk of a slot.
  parameter int unsigned ChunkWords = 7,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no panel.
  input  logic                   rst_ni,
  /// Starts a panel. Only while idle_o is high.
  input  logic                   start_i,
  /// First token of the panel; constant while it is worked on.
  input  logic [31:0]            first_token_i,
  /// Rows of the panel, at least 1; constant.
  input  logic [31:0]            rows_i,
  /// Last slot of the pass; constant.
  input  logic [SlotBits-1:0]    last_slot_i,
  /// Slots that want candidates; constant.
  input  logic [Slots-1:0]       heads_i,
  /// A beat of weights is offered.
  input  logic                   beat_valid_i,
  /// The beat is taken at the end of this cycle.
  output logic                   beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0] beat_data_i,
  /// A word of sums is offered.
  input  logic                   sums_valid_i,
  /// The word is taken at the end of this cycle.
  output logic                   sums_ready_o,
  /// Sum of row l in bits 24l up, signed.
  input  logic [24*Lanes-1:0]    sums_data_i,
  /// Slot of the word.
  input  logic [7:0]             sums_slot_i,
  /// The word is the last of the panel.
  input  logic                   sums_last_i,
  /// Reads the root of a slot: at root_i one cycle later; holds.
  output logic                   root_read_o,
  /// Slot of that root.
  output logic [SlotBits-1:0]    root_slot_o,
  /// That root: product, then inverted token.
  input  logic [71:0]            root_i,
  /// The root means nothing: everything passes.
  input  logic                   root_stale_i,
  /// A key passes.
  output logic                   key_valid_o,
  /// The key is taken at the end of this cycle.
  input  logic                   key_ready_i,
  /// Its slot.
  output logic [SlotBits-1:0]    key_slot_o,
  /// Product with the sign bit inverted, then the inverted token: the greater the better.
  output logic [71:0]            key_o,
  /// No panel.
  output logic                   idle_o
);
  localparam int unsigned LaneBits  = Lanes > 1 ? $clog2(Lanes) : 1;
  localparam int unsigned WordBits  = $clog2(ChunkWords + 1);
  localparam int unsigned Chunk     = ChunkWords * Lanes;  // rows
  localparam int unsigned PlaceBits = $clog2(Chunk + 1);

  logic advance;  // the stages from the weights on move

  // ---- input and its place -----------------------------------------------------------------------
  logic                busy_q, in_valid_q, in_last_q, open_q, take, step;
  logic [24*Lanes-1:0] in_data_q;
  logic [SlotBits-1:0] in_slot_q, slot_q;
  logic [WordBits-1:0] word_q, word;     // of the last word taken, of this one
  logic [31:0]         left_q, token_q;  // rows from the chunk on, first token of the chunk
  logic [PlaceBits:0]  place;            // of the word's first row in the chunk
  logic                whole, beyond, chunk_end, weights_ready, weights_idle;
  logic [Lanes-1:0]    mask;

  // A word begins a slot when the slot changes or had all its words.
  assign word      = !open_q || in_slot_q != slot_q || word_q == WordBits'(ChunkWords - 1)
                     ? '0 : word_q + 1'b1;
  assign chunk_end = word == WordBits'(ChunkWords - 1) && in_slot_q == last_slot_i;
  assign place     = (PlaceBits + 1)'(word) * (PlaceBits + 1)'(Lanes);
  assign whole     = left_q >= 32'(Chunk);
  assign beyond    = ~whole & (place >= {1'b0, left_q[PlaceBits-1:0]});
  for (genvar l = 0; l < Lanes; l++) begin : gen_mask
    assign mask[l] = heads_i[in_slot_q]
                     & (whole | (place + (PlaceBits + 1)'(l) < {1'b0, left_q[PlaceBits-1:0]}));
  end

  assign take         = sums_valid_i & sums_ready_o;
  assign step         = in_valid_q & advance & (beyond | weights_ready);
  assign sums_ready_o = busy_q & (~in_valid_q | (step & ~in_last_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q     <= 1'b0;
      in_valid_q <= 1'b0;
      open_q     <= 1'b0;
    end else begin
      if (start_i) busy_q <= 1'b1;
      else if (step && in_last_q) busy_q <= 1'b0;
      if (start_i) open_q <= 1'b0;
      else if (step) open_q <= 1'b1;
      in_valid_q <= take | (in_valid_q & ~step);
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      in_data_q <= sums_data_i;
      in_slot_q <= sums_slot_i[SlotBits-1:0];
      in_last_q <= sums_last_i;
    end
    if (start_i) begin
      left_q  <= rows_i;
      token_q <= first_token_i;
    end else if (step && chunk_end) begin
      left_q  <= whole ? left_q - 32'(Chunk) : '0;
      token_q <= token_q + 32'(Chunk);
    end
    if (step) begin
      word_q <= word;
      slot_q <= in_slot_q;
    end
  end

  logic [16*Lanes-1:0] weights;

  tt_head_weights #(
    .Lanes     (Lanes),
    .BeatBytes (BeatBytes),
    .ChunkWords(ChunkWords)
  ) u_weights (
    .clk_i,
    .rst_ni,
    .start_i,
    .start_words_i((rows_i + Lanes - 1) / Lanes),
    .beat_valid_i,
    .beat_ready_o,
    .beat_data_i,
    .word_i       (word),
    .ready_o      (weights_ready),
    .read_i       (step & ~beyond),
    .free_i       (step & chunk_end),
    .weights_o    (weights),
    .idle_o       (weights_idle)
  );

  // ---- product, threshold ------------------------------------------------------------------------
  logic [3:1]          valid_q;
  logic [24*Lanes-1:0] sums_q;
  logic [Lanes-1:0]    mask1_q, mask2_q, mask3_q, pass, hold_mask_q, hold_rest;
  logic [SlotBits-1:0] slot1_q, slot2_q, slot3_q, hold_slot_q;
  logic [31:0]         token1_q, token2_q, token3_q, hold_token_q;
  logic [40*Lanes-1:0] product2_q, product3_q, hold_product_q;
  logic                tie;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else if (advance) valid_q <= {valid_q[2:1], step & (mask != '0)};
  end

  always_ff @(posedge clk_i) begin
    if (step) begin
      sums_q   <= in_data_q;
      mask1_q  <= mask;
      slot1_q  <= in_slot_q;
      token1_q <= token_q + 32'(place);
    end
    if (advance && valid_q[1]) begin
      mask2_q  <= mask1_q;
      slot2_q  <= slot1_q;
      token2_q <= token1_q;
    end
    if (advance && valid_q[2]) begin
      mask3_q    <= mask2_q;
      slot3_q    <= slot2_q;
      token3_q   <= token2_q;
      product3_q <= product2_q;
    end
  end

  // On a tie with the threshold a lower token passes; the first one of the word speaks for all.
  assign tie         = token3_q < ~root_i[31:0];
  assign root_read_o = advance & valid_q[2];
  assign root_slot_o = slot2_q;

  for (genvar l = 0; l < Lanes; l++) begin : gen_product
    logic signed [23:0] sum;
    logic signed [16:0] weight;
    logic signed [40:0] product;
    logic        [39:0] biased;
    assign sum     = $signed(sums_q[24*l +: 24]);
    assign weight  = $signed({1'b0, weights[16*l +: 16]});
    assign product = sum * weight;
    always_ff @(posedge clk_i) begin
      if (advance && valid_q[1]) product2_q[40*l +: 40] <= product[39:0];
    end
    assign biased  = {~product3_q[40*l+39], product3_q[40*l +: 39]};
    assign pass[l] = mask3_q[l] & (root_stale_i | ({biased, tie} > {root_i[71:32], 1'b0}));

    logic unused;
    assign unused = product[40];
  end

  // ---- what passes, one by one -------------------------------------------------------------------
  logic [LaneBits-1:0] lane;
  logic [39:0]         product;

  assign hold_rest   = hold_mask_q & (hold_mask_q - 1'b1);
  assign key_valid_o = hold_mask_q != '0;
  assign advance     = !key_valid_o || (key_ready_i && hold_rest == '0);
  assign key_slot_o  = hold_slot_q;
  assign key_o       = {~product[39], product[38:0], ~(hold_token_q + 32'(lane))};

  always_comb begin
    lane = '0;
    for (int unsigned l = Lanes; l > 0; l--) begin
      if (hold_mask_q[l-1]) lane = LaneBits'(l - 1);
    end
  end

  assign product = hold_product_q[40*lane +: 40];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) hold_mask_q <= '0;
    else if (advance) hold_mask_q <= pass & {Lanes{valid_q[3]}};
    else if (key_ready_i) hold_mask_q <= hold_rest;
  end

  always_ff @(posedge clk_i) begin
    if (advance && valid_q[3] && pass != '0) begin
      hold_product_q <= product3_q;
      hold_token_q   <= token3_q;
      hold_slot_q    <= slot3_q;
    end
  end

  logic unused;
  assign unused = ^sums_slot_i;

  assign idle_o = !busy_q && valid_q == '0 && !key_valid_o && weights_idle;
endmodule

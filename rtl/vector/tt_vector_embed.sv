/// Copies the embeddings of the slots' tokens into buffer X.
///
/// The rows of a table are binary32, or bfloat16, the upper halves of binary32; each begins with a
/// beat.
module tt_vector_embed #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Elements of a word, a power of two, at most BeatBytes / 4.
  parameter int unsigned Lanes = 8,
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64
) (
  /// Clock.
  input  logic                                   clk_i,
  /// Asynchronous reset, active low: idle. Reset the memory with it.
  input  logic                                   rst_ni,
  /// The elements are bfloat16.
  input  logic                                   bf16_i,
  /// Elements of a row.
  input  logic [15:0]                            columns_i,
  /// Slots of the pass, at least 1.
  input  logic [7:0]                             slots_i,
  /// The slots, slot 0 lowest.
  input  logic [tt_card_pkg::SlotBits*Slots-1:0] slot_i,
  /// Begin; only while idle.
  input  logic                                   start_i,
  /// Address of the table; constant until done.
  input  logic [39:0]                            table_i,
  /// All rows are in X, for one cycle.
  output logic                                   done_o,
  /// A burst is requested.
  output logic                                   rd_valid_o,
  /// The request is taken.
  input  logic                                   rd_ready_i,
  /// Byte address of the burst.
  output logic [39:0]                            rd_address_o,
  /// Beats of the burst.
  output logic [4:0]                             rd_beats_o,
  /// A beat comes.
  input  logic                                   rd_data_valid_i,
  /// The beat.
  input  logic [8*BeatBytes-1:0]                 rd_data_i,
  /// A word of X is written.
  output logic                                   write_o,
  /// Which.
  output logic [15:0]                            address_o,
  /// What; elements past the row are zero.
  output logic [32*Lanes-1:0]                    data_o
);
  localparam int unsigned LaneBits = $clog2(Lanes);
  localparam int unsigned SizeBits = $clog2(BeatBytes);
  localparam int unsigned Wide     = BeatBytes / 4 / Lanes;  // binary32 words of a beat
  localparam int unsigned Narrow   = BeatBytes / 2 / Lanes;  // bfloat16 words
  localparam int unsigned PartBits = $clog2(Narrow);

  if (Wide == 0) begin : gen_bad_lanes
    $fatal(1, "tt_vector_embed: Lanes must be at most BeatBytes / 4");
  end

  // ---- where the rows are -----------------------------------------------------------------------
  logic                    ask_q, asked_q, address_valid, start_valid_q, start_ready;
  logic [7:0]              row_q;
  logic [15:0]             beats;
  logic [39:0]             address, address_q;
  tt_card_pkg::slot_t      slot;

  assign slot  = slot_i[32'(row_q)*tt_card_pkg::SlotBits+:tt_card_pkg::SlotBits];
  assign beats = 16'(((18'(columns_i) << (bf16_i ? 1 : 2)) + 18'(BeatBytes - 1)) >> SizeBits);

  tt_row_address #(.BeatBytes(BeatBytes)) u_address (
    .clk_i,
    .rst_ni,
    .start_i  (ask_q),
    .base_i   (table_i),
    .row_i    (slot.token),
    .beats_i  (beats),
    .done_o   (address_valid),
    .address_o(address)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ask_q         <= 1'b0;
      asked_q       <= 1'b0;
      row_q         <= '0;
      start_valid_q <= 1'b0;
    end else begin
      ask_q <= start_i | (start_valid_q & start_ready & ~asked_q);
      if (start_i) asked_q <= slots_i == 8'd1;
      else if (start_valid_q && start_ready) asked_q <= row_q + 8'd2 >= slots_i;
      if (start_i) row_q <= '0;
      else if (start_valid_q && start_ready && !asked_q) row_q <= row_q + 8'd1;
      if (address_valid) start_valid_q <= 1'b1;
      else if (start_ready) start_valid_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (address_valid) address_q <= address;
  end

  // ---- beats to words ---------------------------------------------------------------------------
  logic                   beat_valid, beat_ready, run_q, take, last_word, last_part, write_q, end_q;
  logic [8*BeatBytes-1:0] beat;
  logic [PartBits-1:0]    part_q;
  logic [7:0]             slot_q;
  logic [15:0]            word_q, address_write_q, words;
  logic [32*Lanes-1:0]    wide, narrow, data, data_q;
  logic [LaneBits-1:0]    end_lane;

  tt_beat_reader #(
    .BeatBytes(BeatBytes),
    .FifoDepth(16)
  ) u_reader (
    .clk_i,
    .rst_ni,
    .start_valid_i  (start_valid_q),
    .start_ready_o  (start_ready),
    .start_address_i(address_q),
    .start_beats_i  (32'(beats)),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .beat_valid_o   (beat_valid),
    .beat_ready_i   (beat_ready),
    .beat_data_o    (beat)
  );

  assign words      = 16'((17'(columns_i) + 17'(Lanes - 1)) >> LaneBits);
  assign end_lane   = columns_i[LaneBits-1:0];
  assign take       = run_q & beat_valid;
  assign last_word  = word_q + 16'd1 == words;
  assign last_part  = part_q == PartBits'(bf16_i ? Narrow - 1 : Wide - 1);
  assign beat_ready = take & (last_part | last_word);

  always_comb begin
    wide = beat[32*Lanes-1:0];
    for (int unsigned p = 1; p < Wide; p++) begin
      if (part_q == PartBits'(p)) wide = beat[32*Lanes*p+:32*Lanes];
    end
    narrow = '0;
    for (int unsigned l = 0; l < Lanes; l++) begin
      for (int unsigned p = 0; p < Narrow; p++) begin
        if (part_q == PartBits'(p)) narrow[32*l+16+:16] = beat[16*(Lanes*p+l)+:16];
      end
    end
    data = bf16_i ? narrow : wide;
    for (int unsigned l = 0; l < Lanes; l++) begin
      if (last_word && end_lane != '0 && LaneBits'(l) >= end_lane) data[32*l+:32] = '0;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q   <= 1'b0;
      write_q <= 1'b0;
      end_q   <= 1'b0;
      part_q  <= '0;
      word_q  <= '0;
      slot_q  <= '0;
    end else begin
      write_q <= take;
      end_q   <= take & last_word & (slot_q + 8'd1 == slots_i);
      if (start_i) run_q <= 1'b1;
      else if (take && last_word && slot_q + 8'd1 == slots_i) run_q <= 1'b0;
      if (start_i) slot_q <= '0;
      else if (take && last_word) slot_q <= slot_q + 8'd1;
      if (take) begin
        part_q <= last_part || last_word ? '0 : part_q + 1'b1;
        word_q <= last_word ? '0 : word_q + 16'd1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) address_write_q <= '1;
    else if (take) address_write_q <= address_write_q + 16'd1;
    if (take) data_q <= data;
  end

  assign write_o   = write_q;
  assign address_o = address_write_q;
  assign data_o    = data_q;
  assign done_o    = end_q;

  logic unused;
  assign unused = ^slot;
endmodule

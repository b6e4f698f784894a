/// The order in which a pass of the vector unit goes through its words.
///
/// Rows are cut into segments: the whole row, a head, a chunk of sums as they come from the TLMM,
/// or a chunk of blocks of buffer A. Either all slots pass through a segment before the next one,
/// or all segments of a slot come first. A segment of pairs gives two words a step.
module tt_vector_walk #(
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Columns of a block of buffer A, at least Lanes.
  parameter int unsigned BlockColumns = 45
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: idle.
  input  logic rst_ni,
  /// A pass begins; only while idle.
  input  logic start_i,
  /// Its way; constant from start_i until idle.
  input  tt_vector_pkg::walk_t walk_i,
  /// Slots of the pass, at least 1.
  input  logic [7:0] slots_i,
  /// A word is at the output.
  output logic valid_o,
  /// The word.
  output tt_vector_pkg::word_t word_o,
  /// The word is taken at the end of this cycle.
  input  logic step_i,
  /// No pass, or its last word was taken.
  output logic idle_o
);
  localparam int unsigned LaneBits   = $clog2(Lanes);
  // lcm(n, Lanes) of a power of two: the twos that n lacks.
  localparam int unsigned RowTwos    = Rows & (~Rows + 1);
  localparam int unsigned PanelChunk = Rows / (RowTwos < Lanes ? RowTwos : Lanes) * Lanes;
  localparam int unsigned BlockTwos  = BlockColumns & (~BlockColumns + 1);
  localparam int unsigned BlockPart  = BlockColumns / (BlockTwos < Lanes ? BlockTwos : Lanes);
  localparam int unsigned BlockChunk = BlockPart * Lanes;

  if (2 ** LaneBits != Lanes || BlockColumns < Lanes) begin : gen_bad_lanes
    $fatal(1, "tt_vector_walk: Lanes must be a power of two and at most BlockColumns");
  end

  // Words that whole tiles, or whole blocks, of the columns left have.
  function automatic logic [15:0] panel_words(input logic [15:0] left);
    panel_words = 16'(PanelChunk / Lanes);
    for (int unsigned k = PanelChunk / Rows - 1; k > 0; k--) begin
      if (left <= 16'(k * Rows)) panel_words = 16'((k * Rows + Lanes - 1) / Lanes);
    end
  endfunction

  function automatic logic [15:0] block_words(input logic [15:0] left);
    block_words = 16'(BlockChunk / Lanes);
    for (int unsigned k = BlockChunk / BlockColumns - 1; k > 0; k--) begin
      if (left <= 16'(k * BlockColumns)) block_words = 16'((k * BlockColumns + Lanes - 1) / Lanes);
    end
  endfunction

  // ---- the loops --------------------------------------------------------------------------------
  logic        run_q, setup_q, second_q, final_q;
  logic [7:0]  slot_q, head_q;
  logic [15:0] base_q;   // word of the slot's row in the buffer
  logic [15:0] start_q;  // word of the row that the segment begins with
  logic [15:0] left_q;   // columns from there on
  logic [15:0] count_q;  // steps of the segment
  logic [15:0] index_q;
  logic [15:0] group_q, side_q;
  logic [15:0] half, count, stride;
  logic        chunks, final_segment, last_index, segment_end, last_slot, advance, rewind;
  logic        next_slot;

  assign half   = {1'b0, walk_i.head_words[15:1]};
  assign chunks = walk_i.segment == tt_vector_pkg::ByPanel
                  || walk_i.segment == tt_vector_pkg::ByBlocks;

  always_comb begin
    case (walk_i.segment)
      tt_vector_pkg::ByPanel: begin
        count         = panel_words(left_q);
        stride        = 16'(PanelChunk / Lanes);
        final_segment = left_q <= 16'(PanelChunk);
      end
      tt_vector_pkg::ByBlocks: begin
        count         = block_words(left_q);
        stride        = 16'(BlockChunk / Lanes);
        final_segment = left_q <= 16'(BlockChunk);
      end
      tt_vector_pkg::ByHead: begin
        count         = walk_i.pairs ? half : walk_i.head_words;
        stride        = walk_i.head_words;
        final_segment = head_q + 8'd1 == walk_i.heads;
      end
      default: begin
        count         = walk_i.row_words;
        stride        = walk_i.row_words;
        final_segment = 1'b1;
      end
    endcase
  end

  // Of chunks, the words and whether it is the last are found out in a cycle of their own.
  logic final_now;
  assign final_now   = chunks ? final_q : final_segment;
  assign last_index  = index_q + 16'd1 == count_q;
  assign segment_end = step_i & last_index & (second_q | ~walk_i.pairs);
  assign last_slot   = slot_q + 8'd1 == slots_i;
  assign next_slot   = segment_end & (~walk_i.slot_outer | final_now);
  assign advance     = segment_end & (walk_i.slot_outer ? ~final_now : last_slot & ~final_now);
  assign rewind      = segment_end & walk_i.slot_outer & final_now;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q   <= 1'b0;
      setup_q <= 1'b0;
    end else begin
      if (start_i) run_q <= 1'b1;
      else if (segment_end && final_now && last_slot) run_q <= 1'b0;
      setup_q <= start_i | (chunks & (advance | rewind));
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      second_q <= 1'b0;
      slot_q   <= '0;
      base_q   <= '0;
      index_q  <= '0;
      group_q  <= '0;
    end else if (step_i) begin
      second_q <= walk_i.pairs & ~second_q;
      if (second_q || !walk_i.pairs) index_q <= last_index ? '0 : index_q + 16'd1;
      if (segment_end) group_q <= group_q + 16'd1;
      if (next_slot) begin
        slot_q <= last_slot ? '0 : slot_q + 8'd1;
        base_q <= last_slot ? '0 : base_q + walk_i.row_words;
      end
    end
    if (start_i || rewind) begin
      start_q <= walk_i.first_word;
      left_q  <= walk_i.columns;
      head_q  <= '0;
    end else if (advance) begin
      start_q <= start_q + stride;
      left_q  <= left_q - (walk_i.segment == tt_vector_pkg::ByPanel ? 16'(PanelChunk)
                                                                    : 16'(BlockChunk));
      head_q  <= head_q + 8'd1;
    end
    // First block of the chunk, or first rotary word of the slot.
    if (start_i) side_q <= '0;
    else if (walk_i.segment == tt_vector_pkg::ByHead) side_q <= rewind ? side_q + half : side_q;
    else if (rewind) side_q <= '0;
    else if (advance) side_q <= side_q + 16'(BlockChunk / BlockColumns);
    if (setup_q) begin
      count_q <= count;
      final_q <= final_segment;
    end
  end

  // ---- the word ---------------------------------------------------------------------------------
  logic [15:0]         place, end_word;
  logic [LaneBits-1:0] end_lane;

  assign place    = start_q + index_q
                    + (walk_i.segment == tt_vector_pkg::ByHead && second_q ? half : '0);
  assign end_word = walk_i.end_column >> LaneBits;
  assign end_lane = walk_i.end_column[LaneBits-1:0];

  always_comb begin
    word_o.slot    = slot_q;
    word_o.head    = head_q;
    word_o.group   = walk_i.segment == tt_vector_pkg::ByHead ? group_q : 16'(slot_q);
    word_o.word    = place;
    word_o.address = base_q + place;
    word_o.side    = side_q + (walk_i.segment == tt_vector_pkg::ByHead ? index_q : '0);
    word_o.second  = second_q;
    word_o.first   = index_q == '0 && !second_q;
    if (walk_i.segment == tt_vector_pkg::ByHead) begin
      word_o.begins = index_q == '0 && !second_q;
      word_o.ends   = last_index && (second_q || !walk_i.pairs);
    end else begin
      word_o.begins = place == '0;
      word_o.ends   = place + 16'd1 == walk_i.row_words;
    end
    word_o.partial = place == end_word;
    word_o.beyond  = place > end_word || (place == end_word && end_lane == '0);
  end

  assign valid_o = run_q & ~setup_q;
  assign idle_o  = ~run_q;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!start_i || !run_q);
      assert (!step_i || valid_o);
    end
  end
`endif
endmodule

/// Empties the heaps of the scores into pairs {token, logit}, best first.
///
/// A heap gives its worst key first, so a slot is written from its last place back. Places that
/// never held a key come before all others and write nothing.
module tt_head_emit #(
  /// Keys of a heap, a power of two.
  parameter int unsigned Candidates = 256,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Words of a beat.
  localparam int unsigned Words = BeatBytes / 4,
  /// Bits of a word number in a beat.
  localparam int unsigned WordBits = $clog2(Words)
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: no heap.
  input  logic                rst_ni,
  /// Starts a heap; only while idle_o is high.
  input  logic                start_i,
  /// Pops a key; holds until ready.
  output logic                pop_valid_o,
  /// The key is at pop_key_i.
  input  logic                pop_ready_i,
  /// The worst key of the heap; its upper 32 bits are never zero in a true one.
  input  logic [71:0]         pop_key_i,
  /// A pair is put.
  output logic                put_valid_o,
  /// The pair is taken.
  input  logic                put_ready_i,
  /// First word of the pair in its beat.
  output logic [WordBits-1:0] put_word_o,
  /// Key of the pair.
  output logic [71:0]         put_key_o,
  /// The pair is the first of its beat.
  output logic                put_flush_o,
  /// Beat of the slot.
  output logic [31:0]         put_beat_o,
  /// Words of the beat that were put.
  output logic [Words-1:0]    put_mask_o,
  /// No heap.
  output logic                idle_o
);
  localparam int unsigned PlaceBits = $clog2(Candidates);
  localparam int unsigned PairBits  = WordBits - 1;

  logic                 popping_q, pair_valid_q, pop;
  logic [PlaceBits-1:0] place_q, pair_place_q;
  logic [Words-1:0]     mask_q;
  logic [71:0]          key_q;

  assign pop_valid_o = popping_q & ~pair_valid_q;
  assign pop         = pop_valid_o & pop_ready_i;
  assign idle_o      = ~popping_q & ~pair_valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      popping_q    <= 1'b0;
      pair_valid_q <= 1'b0;
      place_q      <= '1;
      mask_q       <= '0;
    end else begin
      if (start_i) popping_q <= 1'b1;
      else if (pop && place_q == '0) popping_q <= 1'b0;
      if (pop) place_q <= place_q - 1'b1;  // wraps to the last place for the next slot
      pair_valid_q <= (pop & (pop_key_i[71:40] != '0)) | (pair_valid_q & ~put_ready_i);
      if (put_valid_o && put_ready_i) mask_q <= put_flush_o ? '0 : put_mask_o;
    end
  end

  always_ff @(posedge clk_i) begin
    if (pop) begin
      pair_place_q <= place_q;
      key_q        <= pop_key_i;
    end
  end

  assign put_valid_o = pair_valid_q;
  assign put_word_o  = {pair_place_q[PairBits-1:0], 1'b0};
  assign put_key_o   = key_q;
  assign put_flush_o = pair_place_q[PairBits-1:0] == '0;
  assign put_beat_o  = 32'(pair_place_q >> PairBits);
  assign put_mask_o  = mask_q | (Words'(3) << put_word_o);
endmodule

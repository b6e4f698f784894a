/// The 16-bit row weights of a panel, as words of Lanes rows: unpacked from beats into a ring.
///
/// The ring holds at least two chunks of rows. A chunk can be read again and again, once a slot,
/// until it is freed; meanwhile the next one comes in.
module tt_head_weights #(
  /// Rows of a word.
  parameter int unsigned Lanes = 8,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Words of a chunk.
  parameter int unsigned ChunkWords = 7,
  /// Bits of a word number in a chunk.
  localparam int unsigned WordBits = $clog2(ChunkWords + 1)
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: nothing to read.
  input  logic                   rst_ni,
  /// Starts a panel; the ring is empty.
  input  logic                   start_i,
  /// Words of that panel, at least 1.
  input  logic [31:0]            start_words_i,
  /// A beat of weights is offered.
  input  logic                   beat_valid_i,
  /// The beat is taken at the end of this cycle.
  output logic                   beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0] beat_data_i,
  /// Word of the chunk that is wanted.
  input  logic [WordBits-1:0]    word_i,
  /// That word is there.
  output logic                   ready_o,
  /// Reads that word: at weights_o in the next cycle.
  input  logic                   read_i,
  /// The chunk is not needed any more.
  input  logic                   free_i,
  /// The word read: row l in bits 16l up; holds.
  output logic [16*Lanes-1:0]    weights_o,
  /// Every word of the panel has come.
  output logic                   idle_o
);
  localparam int unsigned Width   = 16 * Lanes;
  localparam int unsigned Parts   = 8 * BeatBytes / Width;  // words of a beat, at least 2
  localparam int unsigned SubBits = $clog2(Parts);
  localparam int unsigned Depth   = 2 ** $clog2(2 * ChunkWords);
  localparam int unsigned PtrBits = $clog2(Depth);

  logic [31:0]        left_q;  // words to come
  logic [SubBits-1:0] part_q;
  logic [PtrBits:0]   write_q, base_q, held;
  logic               write;
  logic [Width-1:0]   part;
  logic [PtrBits-1:0] read_address;

  assign held         = write_q - base_q;
  assign write        = beat_valid_i & (left_q != '0) & ~held[PtrBits];
  assign beat_ready_o = write & (part_q == '1 || left_q == 32'd1);
  assign ready_o      = held > (PtrBits + 1)'(word_i);
  assign idle_o       = left_q == '0;

  assign part         = beat_data_i[Width*part_q +: Width];
  assign read_address = base_q[PtrBits-1:0] + PtrBits'(word_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q  <= '0;
      part_q  <= '0;
      write_q <= '0;
      base_q  <= '0;
    end else if (start_i) begin
      left_q  <= start_words_i;
      part_q  <= '0;
      write_q <= '0;
      base_q  <= '0;
    end else begin
      if (write) begin
        left_q  <= left_q - 32'd1;
        part_q  <= part_q + 1'b1;
        write_q <= write_q + 1'b1;
      end
      if (free_i) base_q <= base_q + (PtrBits + 1)'(ChunkWords);
    end
  end

  tt_ram #(
    .Width(Width),
    .Depth(Depth),
    .Style("distributed")
  ) u_ring (
    .clk_i,
    .write_i        (write),
    .write_address_i(write_q[PtrBits-1:0]),
    .write_data_i   (part),
    .read_i,
    .read_address_i (read_address),
    .read_data_o    (weights_o)
  );
endmodule

/// Drains the partial sums of finished jobs: a word of memory a tile, Lanes slots a word of result.
///
/// A tile is read in a cycle in which the read port is free and the result FIFO has room for all
/// its words, so nothing stalls after the read; it then leaves a word a cycle. After waiting
/// Patience cycles for the port the drain asks for one (leave_o).
module tt_drain #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Slots of a result word, at most Slots.
  parameter int unsigned Lanes = 4,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Bits of a sum.
  parameter int unsigned AccBits = 24,
  /// Bits of a tile number.
  parameter int unsigned TileBits = 11,
  /// Words of the result FIFO, a power of two, at least the words of two tiles.
  parameter int unsigned FifoDepth = 32,
  /// Cycles to wait for the read port.
  parameter int unsigned Patience = 16
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low: nothing to drain.
  input  logic                          rst_ni,
  /// Tiles of the oldest job that is not drained.
  input  logic [15:0]                   job_tiles_i,
  /// Slots of that job.
  input  logic [7:0]                    job_slots_i,
  /// The last tile of that job is read: its bank may be filled again.
  output logic                          job_next_o,
  /// A pulse: the sums of one more job are complete.
  input  logic                          written_i,
  /// The read port is free in this cycle.
  input  logic                          read_ready_i,
  /// Word to read: bank, tile.
  output logic [TileBits:0]             read_address_o,
  /// The word read, one cycle after.
  input  logic [AccBits*Rows*Slots-1:0] read_data_i,
  /// A free cycle of the read port is wanted; high for one cycle.
  output logic                          leave_o,
  /// A result word is at the output.
  output logic                          res_valid_o,
  /// The word is taken at the end of this cycle.
  input  logic                          res_ready_i,
  /// Sum i of lane l at index l * Rows + i.
  output logic [AccBits*Rows*Lanes-1:0] res_data_o,
  /// The word is the last of its job.
  output logic                          res_last_o,
  /// No result is on its way.
  output logic                          idle_o
);
  localparam int unsigned WordBits     = AccBits * Rows * Lanes;
  localparam int unsigned Words        = (Slots + Lanes - 1) / Lanes;  // words of a tile
  localparam int unsigned CountBits    = $clog2(Words + 1);
  localparam int unsigned IndexBits    = Words > 1 ? $clog2(Words) : 1;
  localparam int unsigned RoomBits     = $clog2(FifoDepth + 1);
  localparam int unsigned PatienceBits = $clog2(Patience + 2);

  if (FifoDepth < 2 * Words) begin : gen_bad_depth
    $fatal(1, "tt_drain: FifoDepth must hold the words of two tiles");
  end

  // ---- reading ---------------------------------------------------------------------------------
  logic [1:0]              complete_q;  // jobs to drain, 0..2
  logic                    bank_q;
  logic [TileBits-1:0]     tile_q;
  logic [CountBits-1:0]    words, gap_q;
  logic [RoomBits-1:0]     room_q;  // places of the FIFO that no tile read has claimed
  logic [PatienceBits-1:0] wait_q;
  logic                    want, read, last_tile, taken;

  assign words          = CountBits'((32'(job_slots_i) + Lanes - 1) / Lanes);
  assign last_tile      = 16'(tile_q) + 16'd1 == job_tiles_i;
  assign want           = complete_q != '0 && gap_q == '0 && 32'(room_q) >= 32'(words);
  assign read           = want & read_ready_i;
  assign read_address_o = {bank_q, tile_q};
  assign job_next_o     = read & last_tile;
  assign leave_o        = wait_q == PatienceBits'(Patience);
  assign taken          = res_valid_o & res_ready_i;
  assign idle_o         = room_q == RoomBits'(FifoDepth);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      complete_q <= '0;
      bank_q     <= 1'b0;
      tile_q     <= '0;
      gap_q      <= '0;
      room_q     <= RoomBits'(FifoDepth);
      wait_q     <= '0;
    end else begin
      complete_q <= complete_q + 2'(written_i) - 2'(job_next_o);
      room_q     <= room_q + RoomBits'(taken) - (read ? RoomBits'(words) : '0);
      if (read) gap_q <= words - 1'b1;
      else if (gap_q != '0) gap_q <= gap_q - 1'b1;
      if (!want || read) wait_q <= '0;
      else if (wait_q <= PatienceBits'(Patience)) wait_q <= wait_q + 1'b1;
      if (read) tile_q <= last_tile ? '0 : tile_q + 1'b1;
      if (job_next_o) bank_q <= ~bank_q;
    end
  end

  // ---- one tile, word by word ------------------------------------------------------------------
  logic                            fetch_q, fetch_last_q, hold_last_q, push;
  logic [CountBits-1:0]            fetch_words_q, left_q;
  logic [IndexBits-1:0]            word_q;
  logic [AccBits*Rows*Slots-1:0]   hold_q;
  logic [WordBits*Words-1:0]       padded;
  logic [WordBits-1:0]             word;
  logic                            last, fifo_ready;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      fetch_q <= 1'b0;
      left_q  <= '0;
    end else begin
      fetch_q <= read;
      if (fetch_q) left_q <= fetch_words_q;
      else if (push) left_q <= left_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (read) begin
      fetch_words_q <= words;
      fetch_last_q  <= last_tile;
    end
    if (fetch_q) begin
      hold_q      <= read_data_i;
      hold_last_q <= fetch_last_q;
    end
    word_q <= fetch_q ? '0 : word_q + 1'b1;
  end

  assign push   = left_q != '0;
  assign last   = hold_last_q & (left_q == CountBits'(1));
  assign padded = (WordBits * Words)'(hold_q);

  always_comb begin
    word = padded[WordBits-1:0];
    for (int unsigned w = 1; w < Words; w++) begin
      if (word_q == IndexBits'(w)) word = padded[WordBits*w +: WordBits];
    end
  end

  tt_fifo #(
    .Width(WordBits + 1),
    .Depth(FifoDepth)
  ) u_results (
    .clk_i,
    .rst_ni,
    .valid_i(push),
    .ready_o(fifo_ready),
    .data_i ({last, word}),
    .valid_o(res_valid_o),
    .ready_i(res_ready_i),
    .data_o ({res_last_o, res_data_o})
  );

  logic unused;
  assign unused = fifo_ready;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!push || fifo_ready);
      assert (!fetch_q || left_q == '0 || left_q == CountBits'(1));
    end
  end
`endif
endmodule

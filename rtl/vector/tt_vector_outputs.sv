/// Where the integers of the vector unit go: blocks of buffer A, words of buffer Q, the KV writer.
module tt_vector_outputs #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Columns of a block of buffer A.
  parameter int unsigned BlockColumns = 45,
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64,
  /// Words that may wait for the KV writer, a power of two.
  parameter int unsigned CacheWords = 64,
  /// Bits of an address of buffer A.
  parameter int unsigned ActBits = 12,
  /// Bits of an address of buffer Q.
  parameter int unsigned QueryBits = 10
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic rst_ni,
  /// The model.
  input  tt_card_pkg::model_t model_i,
  /// Slots of the pass.
  input  logic [7:0] slots_i,
  /// The command is done.
  input  logic done_i,
  /// A pass begins.
  input  logic start_i,
  /// What it does; constant until its last word has come.
  input  tt_vector_pkg::pass_t pass_i,
  /// Heads of the command.
  input  logic [7:0] heads_i,
  /// First head of the command.
  input  logic [7:0] first_head_i,
  /// A word comes.
  input  logic valid_i,
  /// The word.
  input  tt_vector_pkg::word_t word_i,
  /// Its integers.
  input  logic [8*Lanes-1:0] data_i,
  /// The step of its group, if it goes to the KV writer.
  input  logic [31:0] step_i,
  /// A word of buffer A is written.
  output logic a_write_o,
  /// Which: block * Slots + slot.
  output logic [ActBits-1:0] a_address_o,
  /// What.
  output logic [8*BlockColumns-1:0] a_data_o,
  /// Blocks of buffer A that the command has written for every slot.
  output logic [15:0] a_whole_o,
  /// A word of buffer Q is written.
  output logic q_write_o,
  /// Which.
  output logic [QueryBits-1:0] q_address_o,
  /// What.
  output logic [8*BeatBytes-1:0] q_data_o,
  /// KV writer: a word is offered.
  output logic kv_valid_o,
  /// It is taken.
  input  logic kv_ready_i,
  /// Its integers.
  output logic [8*Lanes-1:0] kv_data_o,
  /// Their slot.
  output logic [7:0] kv_slot_o,
  /// Their key-value head.
  output logic [7:0] kv_head_o,
  /// They are the last of their row.
  output logic kv_last_o,
  /// The step of the row.
  output logic [31:0] kv_step_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned CacheBits = 8 * Lanes + 49;

  // ---- buffer A ---------------------------------------------------------------------------------
  logic to_blocks, to_queries, to_cache;

  assign to_blocks  = pass_i.sink == tt_vector_pkg::ToBlocks;
  assign to_queries = pass_i.sink == tt_vector_pkg::ToQueries;
  assign to_cache   = pass_i.sink == tt_vector_pkg::ToCache;

  tt_vector_blocks #(
    .Slots       (Slots),
    .Lanes       (Lanes),
    .BlockColumns(BlockColumns),
    .AddressBits (ActBits)
  ) u_blocks (
    .clk_i,
    .rst_ni,
    .slots_i,
    .clear_i  (done_i),
    .valid_i  (valid_i & to_blocks),
    .first_i  (word_i.first),
    .slot_i   (word_i.slot),
    .block_i  (word_i.side),
    .data_i,
    .write_o  (a_write_o),
    .address_o(a_address_o),
    .data_o   (a_data_o),
    .whole_o  (a_whole_o)
  );

  // ---- buffer Q: queries of some heads of all slots, or rows for the head -----------------------
  logic [7:0]           head_words, left_out;
  logic [QueryBits-1:0] base, skip;

  assign head_words = 8'((17'(model_i.head_dim) + 17'(BeatBytes - 1)) >> SizeBits);
  assign left_out   = model_i.heads - heads_i;
  assign base       = pass_i.queries ? '0 : QueryBits'(16'(first_head_i) * 16'(head_words));
  assign skip       = pass_i.queries ? '0 : QueryBits'(16'(left_out) * 16'(head_words));

  tt_vector_queries #(
    .Lanes      (Lanes),
    .BeatBytes  (BeatBytes),
    .AddressBits(QueryBits)
  ) u_queries (
    .clk_i,
    .rst_ni,
    .start_i,
    .base_i   (base),
    .skip_i   (skip),
    .valid_i  (valid_i & (to_queries | (to_blocks & pass_i.queries & ~word_i.beyond))),
    .begins_i (word_i.begins),
    .ends_i   (word_i.ends),
    .skips_i  (to_queries && word_i.head == '0 && word_i.slot != '0),
    .data_i,
    .write_o  (q_write_o),
    .address_o(q_address_o),
    .data_o   (q_data_o)
  );

  // ---- KV writer: tt_vector_issue lets in what has room -----------------------------------------
  logic cache_ready;

  tt_fifo #(
    .Width(CacheBits),
    .Depth(CacheWords)
  ) u_cache (
    .clk_i,
    .rst_ni,
    .valid_i(valid_i & to_cache),
    .ready_o(cache_ready),
    .data_i ({step_i, word_i.slot, first_head_i + word_i.head, word_i.ends, data_i}),
    .valid_o(kv_valid_o),
    .ready_i(kv_ready_i),
    .data_o ({kv_step_o, kv_slot_o, kv_head_o, kv_last_o, kv_data_o})
  );

  logic unused;
  assign unused = ^{model_i, pass_i, word_i, cache_ready};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!(valid_i && to_cache) || cache_ready);
    end
  end
`endif
endmodule

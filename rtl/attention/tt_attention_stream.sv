/// Everything that attention reads from memory: the walk, page tables and the stream of pages.
module tt_attention_stream #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a page.
  parameter int unsigned PageRows = 16,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Words of PageRows scores that the store holds.
  parameter int unsigned ScoreWords = 1024,
  /// Beats that are requested ahead.
  parameter int unsigned Ahead = 128
) (
  /// Clock.
  input  logic                                        clk_i,
  /// Asynchronous reset, active low.
  input  logic                                        rst_ni,
  /// The model.
  input  tt_card_pkg::model_t                         model_i,
  /// What follows from it.
  input  tt_attention_pkg::shape_t                    shape_i,
  /// Slots of the pass.
  input  logic [7:0]                                  slots_i,
  /// The slots.
  input  logic [Slots-1:0][tt_card_pkg::SlotBits-1:0] slot_i,
  /// A pulse: walk.
  input  logic                                        start_i,
  /// Base address of the layer's pages.
  input  logic [39:0]                                 kv_base_i,
  /// A page will be streamed.
  output logic                                        page_valid_o,
  /// It can be taken; depends on registers alone.
  input  logic                                        page_ready_i,
  /// The page.
  output tt_attention_pkg::page_t                     page_o,
  /// A beat of the stream.
  output logic                                        beat_valid_o,
  /// It is taken.
  input  logic                                        beat_ready_i,
  /// The beat.
  output logic [8*BeatBytes-1:0]                      beat_data_o,
  /// Nothing is walked or fetched.
  output logic                                        idle_o,
  /// A pulse: an entry of a page table is no page.
  output logic                                        error_o,
  /// Memory: a burst is requested.
  output logic                                        rd_valid_o,
  /// Memory: the request is taken.
  input  logic                                        rd_ready_i,
  /// Memory: byte address of the burst.
  output logic [39:0]                                 rd_address_o,
  /// Memory: beats of the burst.
  output logic [4:0]                                  rd_beats_o,
  /// Memory: a beat comes.
  input  logic                                        rd_data_valid_i,
  /// Memory: the beat.
  input  logic [8*BeatBytes-1:0]                      rd_data_i
);
  logic        ids_active, ids_again, ids_hit, ids_busy, walk_idle;
  logic        fetch_valid, fetch_ready, answer_valid, start_valid, start_ready;
  logic [39:0] ids_entry, ids_first, ids_final, fetch_address, start_address;
  logic [31:0] id, start_beats;

  assign idle_o = walk_idle && !ids_busy;

  tt_attention_walk #(
    .Slots     (Slots),
    .BeatBytes (BeatBytes),
    .PageRows  (PageRows),
    .Queries   (Queries),
    .ScoreWords(ScoreWords)
  ) u_walk (
    .clk_i,
    .rst_ni,
    .model_i,
    .shape_i,
    .slots_i,
    .slot_i,
    .start_i,
    .kv_base_i,
    .idle_o         (walk_idle),
    .ids_active_o   (ids_active),
    .ids_entry_o    (ids_entry),
    .ids_first_o    (ids_first),
    .ids_final_o    (ids_final),
    .ids_again_o    (ids_again),
    .ids_hit_i      (ids_hit),
    .ids_id_i       (id),
    .start_valid_o  (start_valid),
    .start_ready_i  (start_ready),
    .start_address_o(start_address),
    .start_beats_o  (start_beats),
    .page_valid_o,
    .page_ready_i,
    .page_o,
    .error_o
  );

  tt_page_ids #(.BeatBytes(BeatBytes)) u_ids (
    .clk_i,
    .rst_ni,
    .flush_i        (start_i),
    .active_i       (ids_active),
    .entry_i        (ids_entry),
    .first_i        (ids_first),
    .final_i        (ids_final),
    .again_i        (ids_again),
    .hit_o          (ids_hit),
    .id_o           (id),
    .busy_o         (ids_busy),
    .fetch_valid_o  (fetch_valid),
    .fetch_ready_i  (fetch_ready),
    .fetch_address_o(fetch_address),
    .answer_valid_i (answer_valid),
    .answer_i       (rd_data_i)
  );

  tt_kv_stream #(
    .BeatBytes(BeatBytes),
    .Ahead    (Ahead)
  ) u_reader (
    .clk_i,
    .rst_ni,
    .start_valid_i  (start_valid),
    .start_ready_o  (start_ready),
    .start_address_i(start_address),
    .start_beats_i  (start_beats),
    .beat_valid_o,
    .beat_ready_i,
    .beat_data_o,
    .fetch_valid_i  (fetch_valid),
    .fetch_ready_o  (fetch_ready),
    .fetch_address_i(fetch_address),
    .answer_valid_o (answer_valid),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i
  );
endmodule

/// Walks over everything that attention streams: runs of slots, heads, passes, pages.
///
/// Neighbouring slots with one page table form a run, of at most Queries queries for a key-value
/// head. A run and a key-value head are an item: its pages are streamed twice, first K with the
/// steps of both, then V; where the scores of a page did not fit the store, K comes again with V.
/// Where all of them fit, V of an item comes together with K of the next head, which follows it in
/// memory: a sweep over the pages for both.
module tt_attention_walk #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a page, a power of two.
  parameter int unsigned PageRows = 16,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Words of PageRows scores that the store holds.
  parameter int unsigned ScoreWords = 1024
) (
  /// Clock.
  input  logic                                         clk_i,
  /// Asynchronous reset, active low.
  input  logic                                         rst_ni,
  /// The model.
  input  tt_card_pkg::model_t                          model_i,
  /// What follows from it.
  input  tt_attention_pkg::shape_t                     shape_i,
  /// Slots of the pass.
  input  logic [7:0]                                   slots_i,
  /// The slots.
  input  logic [Slots-1:0][tt_card_pkg::SlotBits-1:0]  slot_i,
  /// A pulse: walk.
  input  logic                                         start_i,
  /// Base address of the layer's pages.
  input  logic [39:0]                                  kv_base_i,
  /// Nothing to walk.
  output logic                                         idle_o,
  /// The addresses of the page table are valid.
  output logic                                         ids_active_o,
  /// Address of the entry that is wanted.
  output logic [39:0]                                  ids_entry_o,
  /// Address of the table's first entry.
  output logic [39:0]                                  ids_first_o,
  /// Address of the table's last entry in use.
  output logic [39:0]                                  ids_final_o,
  /// The table will be walked again.
  output logic                                         ids_again_o,
  /// The entry is here.
  input  logic                                         ids_hit_i,
  /// The entry.
  input  logic [31:0]                                  ids_id_i,
  /// A page: beats to stream.
  output logic                                         start_valid_o,
  /// The reader can take it.
  input  logic                                         start_ready_i,
  /// Byte address of its first beat.
  output logic [39:0]                                  start_address_o,
  /// Its beats.
  output logic [31:0]                                  start_beats_o,
  /// The page, in the same cycle.
  output logic                                         page_valid_o,
  /// All who want to know can take it; depends on registers alone.
  input  logic                                         page_ready_i,
  /// The page.
  output tt_attention_pkg::page_t                      page_o,
  /// A pulse: an entry of the page table is no page of the cache; page 0 is read instead.
  output logic                                         error_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned BeatBits  = 40 - SizeBits;  // number of a beat in memory
  localparam int unsigned RowBits   = $clog2(PageRows);
  localparam int unsigned IndexBits = Slots > 1 ? $clog2(Slots) : 1;
  localparam int unsigned StepBeats = (4 * PageRows + BeatBytes - 1) / BeatBytes;

  typedef enum logic [2:0] {Idle, Fetch, Take, Head, Entry, Scale, Place, Offer} state_e;
  state_e state_q;

  // ---- runs ------------------------------------------------------------------------------------
  tt_card_pkg::slot_t slot_q;
  logic               have_q, joins;
  logic [7:0]         from_q, count_q, queries_q;  // first slot, slots, queries of the run
  logic [15:0]        base_q, next_base_q;         // its first word in buffer Q, that of the next
  logic [32:0]        rows_q, slot_rows;           // cache rows that the run sees
  logic [39:0]        table_q;
  logic [5:0]         mask_rows;

  always_comb begin
    mask_rows = '0;
    for (int unsigned i = 0; i < 32; i++) if (slot_q.mask[i]) mask_rows = 6'(i + 1);
  end
  assign slot_rows = {1'b0, slot_q.history} + 33'(mask_rows);
  assign joins     = have_q && (count_q == '0 || (slot_q.page_table == table_q
                     && 9'(queries_q) + 9'(model_i.group) <= 9'(Queries)));

  // ---- pages -----------------------------------------------------------------------------------
  logic [32:0] pages, page_q, pages_q;  // pages of the run
  logic [7:0]  kv_head_q, head_q;
  logic [15:0] query_q;
  logic [39:0] entry_q, final_q, head_offset_q, scaled_q, address_q, values_offset_q;
  logic [31:0] id_q;
  logic [15:0] stored_q;  // words of the store that the pass has used
  // What the sweep streams; K beside V is that of the next head.
  logic        values_q, keys_q;
  logic        bank_q, fits, last_page, last_head, next_last, last_run, fire, bad;

  assign pages     = (rows_q + 33'(PageRows - 1)) >> RowBits;
  assign fits      = 32'(stored_q) + 32'(queries_q) <= ScoreWords;
  assign last_page = page_q + 33'd1 == pages_q;
  assign last_head = kv_head_q + 8'd1 == model_i.kv_heads;
  assign next_last = kv_head_q + 8'd2 == model_i.kv_heads;
  assign last_run  = from_q + count_q == slots_i;
  assign fire      = state_q == Offer && start_ready_i && page_ready_i;
  assign bad       = state_q == Entry && ids_hit_i && ids_id_i >= model_i.pages;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      error_o <= 1'b0;
      bank_q  <= 1'b0;
    end else begin
      error_o <= bad;
      if (fire && last_page && values_q) bank_q <= !bank_q;
      unique case (state_q)
        Idle:  if (start_i) state_q <= Fetch;
        Fetch: state_q <= Take;
        Take: begin
          if (joins) state_q <= Fetch;
          else state_q <= count_q == '0 ? Idle : Head;
        end
        Head:  state_q <= Entry;
        Entry: if (ids_hit_i) state_q <= Scale;
        Scale: state_q <= Place;
        Place: state_q <= Offer;
        default: begin  // Offer
          if (fire) begin
            if (!last_page || !values_q || !last_head) state_q <= Entry;
            else state_q <= last_run ? Idle : Fetch;
          end
        end
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    unique case (state_q)
      Idle: begin
        from_q          <= '0;
        count_q         <= '0;
        queries_q       <= '0;
        base_q          <= '0;
        next_base_q     <= '0;
        rows_q          <= '0;
        values_offset_q <= 40'({shape_i.row_beats + 16'(StepBeats), SizeBits'(0)});
      end
      Fetch: begin
        have_q <= from_q + count_q < slots_i;
        slot_q <= slot_i[IndexBits'(from_q + count_q)];
      end
      Take: begin
        if (joins) begin
          count_q     <= count_q + 1'b1;
          queries_q   <= queries_q + model_i.group;
          next_base_q <= next_base_q + shape_i.slot_words;
          table_q     <= slot_q.page_table;
          if (slot_rows > rows_q) rows_q <= slot_rows;
        end
      end
      Head: begin
        pages_q       <= pages == '0 ? 33'd1 : pages;
        final_q       <= pages == '0 ? table_q : table_q + 40'({pages - 33'd1, 2'b00});
        entry_q       <= table_q;
        page_q        <= '0;
        kv_head_q     <= '0;
        head_q        <= '0;
        query_q       <= base_q;
        head_offset_q <= kv_base_i;
        values_q      <= 1'b0;
        keys_q        <= 1'b1;
        stored_q      <= '0;
      end
      Entry: id_q      <= bad ? '0 : ids_id_i;
      // Pages are whole beats.
      Scale: begin
        scaled_q <= {BeatBits'(id_q) * BeatBits'(model_i.page_bytes[31:SizeBits]), SizeBits'(0)};
      end
      Place: address_q <= scaled_q + head_offset_q + (values_q && fits ? values_offset_q : '0);
      default: begin  // Offer
        if (fire) begin
          if (fits) stored_q <= stored_q + 16'(queries_q);
          page_q  <= page_q + 1'b1;
          entry_q <= entry_q + 40'd4;
          if (last_page) begin
            page_q   <= '0;
            entry_q  <= table_q;
            stored_q <= '0;
            values_q <= !values_q || keys_q;
            if (!values_q) keys_q <= fits && !last_head;
            else keys_q <= !keys_q || !next_last;
            if (values_q) begin
              kv_head_q     <= kv_head_q + 1'b1;
              head_q        <= head_q + model_i.group;
              query_q       <= query_q + shape_i.group_words;
              head_offset_q <= head_offset_q + 40'(model_i.head_bytes);
              if (last_head) begin
                from_q    <= from_q + count_q;
                count_q   <= '0;
                queries_q <= '0;
                base_q    <= next_base_q;
                rows_q    <= '0;
              end
            end
          end
        end
      end
    endcase
  end

  assign idle_o       = state_q == Idle;
  assign ids_active_o = state_q == Entry || state_q == Scale || state_q == Place
                        || state_q == Offer;
  assign ids_entry_o  = entry_q;
  assign ids_first_o  = table_q;
  assign ids_final_o  = final_q;
  assign ids_again_o  = !values_q || !last_head;

  assign start_valid_o   = state_q == Offer && page_ready_i;
  assign start_address_o = {address_q[39:SizeBits], SizeBits'(0)};
  assign page_valid_o    = state_q == Offer && start_ready_i;

  always_comb begin
    if (!values_q) start_beats_o = 32'(shape_i.row_beats) + 2 * StepBeats;
    else if (keys_q) start_beats_o = 2 * 32'(shape_i.row_beats) + 3 * StepBeats;
    else if (fits) start_beats_o = 32'(shape_i.row_beats) + StepBeats;
    else start_beats_o = 2 * 32'(shape_i.row_beats) + 2 * StepBeats;
    page_o           = '0;
    page_o.keys      = keys_q || !fits;
    page_o.values    = values_q;
    page_o.store     = fits;
    page_o.first     = page_q == '0;
    page_o.last      = last_page;
    page_o.last_item = last_head && last_run;
    page_o.row       = 32'({page_q, RowBits'(0)});
    page_o.bank      = bank_q;
    page_o.query     = values_q && keys_q ? query_q + shape_i.group_words : query_q;
    page_o.queries   = queries_q;
    page_o.slot      = from_q;
    page_o.head      = values_q && keys_q ? head_q + model_i.group : head_q;
    page_o.item_head = head_q;
  end

  logic unused;
  assign unused = ^{model_i, slot_q, shape_i, address_q[SizeBits-1:0], page_q[32:32-RowBits]};
endmodule

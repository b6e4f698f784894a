/// Starts the queries of the pages, in the order of the stream, at a fixed pace.
///
/// A query and a page take a period: as many cycles as the slowest stage behind needs. So nothing
/// behind this module ever waits. While sums are read besides, the V pass leaves a cycle for that.
/// A page starts when its tiles are here; the first page of a V pass also waits until the maxima of
/// its item are known.
module tt_attention_issue #(
  /// Cycles in which the scores of a query and a page are made.
  parameter int unsigned Parts = 4,
  /// Row words of a row in a tile.
  parameter int unsigned WordsMax = 2,
  /// Words of buffer Q.
  parameter int unsigned QueryWords = 1024,
  /// Bits of the number of a row word.
  localparam int unsigned WordBits = WordsMax > 1 ? $clog2(WordsMax) : 1,
  /// Bits of an address of buffer Q.
  localparam int unsigned QueryBits = $clog2(QueryWords)
) (
  /// Clock.
  input  logic                       clk_i,
  /// Asynchronous reset, active low.
  input  logic                       rst_ni,
  /// Query heads of a key-value head.
  input  logic [7:0]                 group_i,
  /// The shape of rows.
  input  tt_attention_pkg::shape_t   shape_i,
  /// The next page.
  input  logic                       page_valid_i,
  /// Its last query starts.
  output logic                       page_ready_o,
  /// The page.
  input  tt_attention_pkg::page_t    page_i,
  /// A pulse: one more tile of K is complete.
  input  logic                       keys_loaded_i,
  /// A pulse: one more tile of V is complete.
  input  logic                       values_loaded_i,
  /// The item's V pass may start.
  input  logic                       prepared_i,
  /// The sums of an item are being read.
  input  logic                       sums_busy_i,
  /// A pulse: it starts.
  output logic                       begin_values_o,
  /// A word of the query and of half of the K rows is read.
  output logic                       read_o,
  /// It is the first of the dot products of these rows.
  output logic                       read_first_o,
  /// It is the last.
  output logic                       read_last_o,
  /// It is of the second half of the rows.
  output logic                       read_second_o,
  /// Word of buffer Q.
  output logic [QueryBits-1:0]       query_address_o,
  /// Tile of K and row word.
  output logic [tt_attention_pkg::BufferBits+WordBits-1:0] keys_address_o,
  /// A query: its last word is read in this cycle, if its page has keys.
  output logic                       query_valid_o,
  /// The query.
  output tt_attention_pkg::query_t   query_o
);
  localparam int unsigned BufferBits = tt_attention_pkg::BufferBits;

  logic [BufferBits:0]   keys_here_q, values_here_q;  // tiles that are complete and not started
  logic [BufferBits-1:0] keys_buffer_q, values_buffer_q;
  logic        running_q, start, go, query_end, page_end;
  logic [7:0]  cycle_q, period, gap, query_q, member_q, slot_q, slot, head;
  logic [15:0] word_q, slot_word_q, word, slot_word;
  logic [7:0]  words, columns, index;

  // ---- pace ------------------------------------------------------------------------------------
  // The sums of a query are read and written back: the same query at most every four cycles.
  assign words   = page_i.keys ? {shape_i.words[6:0], 1'b0} : 8'd1;  // of both halves
  assign columns = page_i.values ? shape_i.columns : 8'd1;
  always_comb begin
    gap = 8'd1;
    if (page_i.queries == 8'd1) gap = 8'd4;
    else if (page_i.queries < 8'd4) gap = 8'd2;
    period = 8'(Parts);
    if (words > period) period = words;
    if (columns > period) period = columns;
    if (gap > period) period = gap;
    if (sums_busy_i && columns == period) period = period + 8'd1;
  end

  assign start = page_valid_i && (!page_i.keys || keys_here_q != '0)
                 && (!page_i.values || values_here_q != '0)
                 && (!page_i.values || !page_i.first || prepared_i);
  assign go        = running_q || start;
  assign query_end = go && cycle_q + 8'd1 >= period;
  assign page_end  = query_end && query_q + 8'd1 == page_i.queries;

  assign page_ready_o   = page_end;
  assign begin_values_o = start && !running_q && page_i.values && page_i.first;

  // The queries of a page: the heads of a group, slot after slot.
  assign slot      = running_q ? slot_q : page_i.slot;
  assign word      = running_q ? word_q : page_i.query;
  assign slot_word = running_q ? slot_word_q : page_i.query;
  assign head      = page_i.head + member_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q       <= 1'b0;
      cycle_q         <= '0;
      query_q         <= '0;
      member_q        <= '0;
      keys_here_q     <= '0;
      values_here_q   <= '0;
      keys_buffer_q   <= '0;
      values_buffer_q <= '0;
    end else begin
      keys_here_q   <= keys_here_q + (BufferBits + 1)'(keys_loaded_i)
                       - (BufferBits + 1)'(start && !running_q && page_i.keys);
      values_here_q <= values_here_q + (BufferBits + 1)'(values_loaded_i)
                       - (BufferBits + 1)'(start && !running_q && page_i.values);
      if (go) begin
        running_q <= !page_end;
        cycle_q   <= query_end ? '0 : cycle_q + 1'b1;
        if (query_end) begin
          query_q  <= page_end ? '0 : query_q + 1'b1;
          member_q <= page_end || member_q + 8'd1 == group_i ? '0 : member_q + 1'b1;
        end
        if (page_end && page_i.keys) keys_buffer_q <= keys_buffer_q + 1'b1;
        if (page_end && page_i.values) values_buffer_q <= values_buffer_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (go) begin
      slot_q      <= slot;
      word_q      <= word;
      slot_word_q <= slot_word;
      if (query_end) begin
        if (member_q + 8'd1 == group_i) begin
          slot_q      <= slot + 1'b1;
          word_q      <= slot_word + shape_i.slot_words;
          slot_word_q <= slot_word + shape_i.slot_words;
        end else begin
          word_q <= word + 16'(shape_i.words);
        end
      end
    end
  end

  // ---- what a cycle reads ----------------------------------------------------------------------
  assign read_o          = go && page_i.keys && cycle_q < words;
  assign read_second_o   = cycle_q >= shape_i.words;
  assign index           = read_second_o ? cycle_q - shape_i.words : cycle_q;
  assign read_first_o    = index == '0;
  assign read_last_o     = index + 8'd1 == shape_i.words;
  assign query_address_o = QueryBits'(word + 16'(index));
  assign keys_address_o  = {keys_buffer_q, index[WordBits-1:0]};
  assign query_valid_o   = page_i.keys ? read_o && read_second_o && read_last_o
                                       : go && cycle_q == '0;

  always_comb begin
    query_o               = '0;
    query_o.keys          = page_i.keys;
    query_o.values        = page_i.values;
    query_o.store         = page_i.store;
    query_o.first         = page_i.first;
    query_o.last          = page_i.last;
    query_o.close         = query_q + 8'd1 == page_i.queries;
    query_o.bank          = page_i.bank;
    query_o.keys_buffer   = keys_buffer_q;
    query_o.values_buffer = values_buffer_q;
    query_o.query         = query_q;
    query_o.slot          = slot;
    query_o.head          = head;
  end

  logic unused;
  assign unused = ^{page_i, shape_i};
endmodule

/// Cuts the stream of pages into rows and steps.
///
/// Rows follow each other without gaps in memory, so a row may begin in the middle of a beat. A
/// cycle cuts one row word, both words of an int4 row of two, two rows of half a beat, or a beat of
/// two rows that fill three: a beat a cycle for rows of a whole number of beats, and for such of
/// half a beat and of one and a half.
module tt_kv_loader #(
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a page.
  parameter int unsigned PageRows = 16,
  /// Row words of a tile row.
  parameter int unsigned WordsMax = 2,
  /// Bits of a row number.
  localparam int unsigned RowBits = $clog2(PageRows),
  /// Bits of the number of a row word.
  localparam int unsigned WordBits = WordsMax > 1 ? $clog2(WordsMax) : 1
) (
  /// Clock.
  input  logic                     clk_i,
  /// Asynchronous reset, active low: all tiles are free.
  input  logic                     rst_ni,
  /// The shape of rows.
  input  tt_attention_pkg::shape_t shape_i,
  /// A page comes.
  input  logic                     page_valid_i,
  /// The page is taken.
  output logic                     page_ready_o,
  /// K rows, K steps and V steps come.
  input  logic                     page_keys_i,
  /// V steps and V rows come.
  input  logic                     page_values_i,
  /// Both come, but of two items: V steps and V rows, then K rows, K steps and V steps.
  input  logic                     page_pair_i,
  /// A beat of the stream.
  input  logic                     beat_valid_i,
  /// It is taken.
  output logic                     beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0]   beat_data_i,
  /// A pulse: the oldest tile of K is free again.
  input  logic                     keys_release_i,
  /// A pulse: the oldest tile of V is free again.
  input  logic                     values_release_i,
  /// A pulse: a tile of K is complete after this cycle.
  output logic                     keys_loaded_o,
  /// A pulse: a tile of V is complete after this cycle.
  output logic                     values_loaded_o,
  /// Tile of K that is written.
  output logic [tt_attention_pkg::BufferBits-1:0] keys_buffer_o,
  /// Tile of V that is written.
  output logic [tt_attention_pkg::BufferBits-1:0] values_buffer_o,
  /// K rows are cut.
  output logic                     keys_row_o,
  /// V rows are cut.
  output logic                     values_row_o,
  /// A beat of K steps.
  output logic                     keys_step_o,
  /// A beat of V steps beside the K steps of its page.
  output logic                     seen_step_o,
  /// A beat of V steps beside the V rows of its page.
  output logic                     values_step_o,
  /// The row, or the number of the beat of steps.
  output logic [RowBits-1:0]       row_o,
  /// Number of the row word.
  output logic [WordBits-1:0]      word_o,
  /// The bytes from the start of the row word on, or the beat of steps.
  output logic [8*BeatBytes-1:0]   window_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned StepBeats = (4 * PageRows + BeatBytes - 1) / BeatBytes;
  localparam int unsigned BufferBits = tt_attention_pkg::BufferBits;
  localparam logic [BufferBits:0] All = (BufferBits + 1)'(tt_attention_pkg::Buffers);

  // Rows are multiples of 8 bytes: so those of a page fill whole beats.
  if (8 * PageRows % BeatBytes != 0) begin : gen_bad_rows
    $fatal(1, "tt_kv_loader: PageRows * 8 must be a multiple of BeatBytes");
  end

  typedef enum logic [2:0] {None, KeyRows, KeySteps, ValueSteps, ValueRows} section_e;
  section_e section_q, section_next;

  logic                   keys_q, values_q, low_valid_q, straddle, complete, fire, last, page_end;
  logic                   begins, rows, take, ends, keys, values, second_q;
  logic [BufferBits:0]    keys_free_q, values_free_q;
  logic [SizeBits-1:0]    offset_q;
  logic [SizeBits:0]      length, reach;
  logic [RowBits-1:0]     row_q;
  logic [WordBits-1:0]    word_q;
  logic [8*BeatBytes-1:0] low_q;
  logic [BufferBits-1:0]  keys_buffer_q, values_buffer_q;

  // ---- what the present cycle uses -------------------------------------------------------------
  assign rows     = section_q == KeyRows || section_q == ValueRows;
  assign ends     = shape_i.wide || (shape_i.half && row_q[0])
                    || 8'(word_q) + 8'd1 == shape_i.words;
  always_comb begin
    length = (SizeBits + 1)'(BeatBytes);
    if (rows && ends) length = shape_i.last_bytes[SizeBits:0];
    else if (rows && shape_i.int4) length = (SizeBits + 1)'(BeatBytes / 2);
  end
  assign reach    = {1'b0, offset_q} + length;
  assign complete = reach >= (SizeBits + 1)'(BeatBytes);
  assign straddle = reach > (SizeBits + 1)'(BeatBytes);
  assign fire     = section_q != None && low_valid_q && (!straddle || beat_valid_i);
  assign last     = rows ? ends && row_q == RowBits'(shape_i.pair ? PageRows - 2 : PageRows - 1)
                         : row_q == RowBits'(StepBeats - 1);
  assign take     = !low_valid_q || (fire && complete);

  assign beat_ready_o = take;
  assign page_end     = fire && last && section_next == None;
  assign keys         = page_keys_i && (!page_pair_i || second_q);
  assign values       = page_values_i && !(page_pair_i && second_q);
  assign begins       = page_valid_i && (section_q == None || page_end)
                        && (!keys || keys_free_q != '0) && (!values || values_free_q != '0);
  assign page_ready_o = begins && (!page_pair_i || second_q);

  always_comb begin
    unique case (section_q)
      KeyRows:    section_next = KeySteps;
      KeySteps:   section_next = ValueSteps;
      ValueSteps: section_next = values_q ? ValueRows : None;
      default:    section_next = None;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      section_q     <= None;
      low_valid_q   <= 1'b0;
      second_q      <= 1'b0;
      keys_free_q   <= All;
      values_free_q <= All;
    end else begin
      if (begins) second_q <= page_pair_i && !second_q;
      if (begins) section_q <= keys ? KeyRows : ValueSteps;
      else if (fire && last) section_q <= section_next;
      if (take) low_valid_q <= beat_valid_i;
      keys_free_q   <= keys_free_q + (BufferBits + 1)'(keys_release_i)
                       - (BufferBits + 1)'(begins && keys);
      values_free_q <= values_free_q + (BufferBits + 1)'(values_release_i)
                       - (BufferBits + 1)'(begins && values);
    end
  end

  always_ff @(posedge clk_i) begin
    if (begins) begin
      keys_q   <= keys;
      values_q <= values;
    end
    if (take && beat_valid_i) low_q <= beat_data_i;
    if (section_q == None || (fire && last)) begin
      offset_q <= '0;
      row_q    <= '0;
      word_q   <= '0;
    end else if (fire) begin
      if (rows) offset_q <= reach[SizeBits-1:0];
      if (rows && !ends) word_q <= word_q + 1'b1;
      else begin
        word_q <= '0;
        row_q  <= row_q + (rows && shape_i.pair ? RowBits'(2) : RowBits'(1));
      end
    end
  end

  // ---- what comes out --------------------------------------------------------------------------
  always_comb begin
    window_o = low_q;
    if (rows) begin
      window_o = (8*BeatBytes)'({beat_data_i, low_q} >> {offset_q[SizeBits-1:3], 6'd0});
    end
  end
  assign row_o           = row_q;
  assign word_o          = word_q;
  assign keys_row_o      = fire && section_q == KeyRows;
  assign values_row_o    = fire && section_q == ValueRows;
  assign keys_step_o     = fire && section_q == KeySteps;
  assign seen_step_o     = fire && section_q == ValueSteps && keys_q;
  assign values_step_o   = fire && section_q == ValueSteps && values_q;
  assign keys_buffer_o   = keys_buffer_q;
  assign values_buffer_o = values_buffer_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      keys_loaded_o   <= 1'b0;
      values_loaded_o <= 1'b0;
      keys_buffer_q   <= '0;
      values_buffer_q <= '0;
    end else begin
      // Rows are in their tiles two cycles later.
      keys_loaded_o   <= page_end && keys_q;
      values_loaded_o <= page_end && values_q;
      if (page_end && keys_q) keys_buffer_q <= keys_buffer_q + 1'b1;
      if (page_end && values_q) values_buffer_q <= values_buffer_q + 1'b1;
    end
  end

  logic unused;
  assign unused = ^{shape_i, offset_q[2:0]};
endmodule

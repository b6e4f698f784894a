/// Tiles of K and V, rows and steps, and what fills them from the stream.
module tt_attention_tiles #(
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a page.
  parameter int unsigned PageRows = 16,
  /// Steps that are read at once.
  parameter int unsigned Lanes = 4,
  /// Row words of a tile row.
  parameter int unsigned WordsMax = 2,
  /// Bits of the number of a column word.
  parameter int unsigned ColumnBits = 2,
  /// Bits of the number of a row word.
  localparam int unsigned WordBits = WordsMax > 1 ? $clog2(WordsMax) : 1,
  /// Bits of the number of a part.
  localparam int unsigned PartBits = PageRows > Lanes ? $clog2(PageRows / Lanes) : 1
) (
  /// Clock.
  input  logic                            clk_i,
  /// Asynchronous reset, active low: all tiles are free.
  input  logic                            rst_ni,
  /// The shape of rows.
  input  tt_attention_pkg::shape_t        shape_i,
  /// A page comes.
  input  logic                            page_valid_i,
  /// It is taken.
  output logic                            page_ready_o,
  /// With K rows.
  input  logic                            page_keys_i,
  /// With V rows.
  input  logic                            page_values_i,
  /// With both, of two items.
  input  logic                            page_pair_i,
  /// A beat of the stream.
  input  logic                            beat_valid_i,
  /// It is taken.
  output logic                            beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0]          beat_data_i,
  /// A pulse: one more tile of K is complete.
  output logic                            keys_loaded_o,
  /// A pulse: one more tile of V is complete.
  output logic                            values_loaded_o,
  /// A pulse: the oldest tile of K has been read.
  input  logic                            keys_release_i,
  /// A pulse: the oldest tile of V has been read.
  input  logic                            values_release_i,
  /// Tile and row word of K that are read.
  input  logic [tt_attention_pkg::BufferBits+WordBits-1:0] keys_address_i,
  /// Of the second half of the rows.
  input  logic                            keys_second_i,
  /// The words of that half, skewed, from one cycle after on.
  output logic [4*BeatBytes*PageRows-1:0] keys_o,
  /// The steps of a page of keys are read.
  input  logic                            steps_read_i,
  /// Its tile.
  input  logic [tt_attention_pkg::BufferBits-1:0] steps_buffer_i,
  /// Part of the steps, from one cycle after on.
  input  logic [PartBits-1:0]             steps_part_i,
  /// K steps.
  output logic [32*Lanes-1:0]             key_steps_o,
  /// V steps that came with the keys.
  output logic [32*Lanes-1:0]             seen_steps_o,
  /// Tile of V that is read.
  input  logic [tt_attention_pkg::BufferBits-1:0] values_buffer_i,
  /// The column word.
  input  logic [ColumnBits-1:0]           values_column_i,
  /// The row words that hold it, skewed, from one cycle after on.
  output logic [8*BeatBytes*PageRows-1:0] values_o,
  /// The steps of a page of values are read.
  input  logic                            ratio_read_i,
  /// Its tile.
  input  logic [tt_attention_pkg::BufferBits-1:0] ratio_buffer_i,
  /// Part of the steps, from one cycle after on.
  input  logic [PartBits-1:0]             ratio_part_i,
  /// V steps.
  output logic [32*Lanes-1:0]             ratio_steps_o
);
  localparam int unsigned RowBits = $clog2(PageRows);
  localparam int unsigned Words   = tt_attention_pkg::Buffers * 2 ** WordBits;

  localparam int unsigned AddressBits = tt_attention_pkg::BufferBits + WordBits;

  logic [tt_attention_pkg::BufferBits-1:0] keys_buffer, values_buffer;
  logic                   keys_row, values_row, keys_step, seen_step, values_step;
  logic [RowBits-1:0]     row;
  logic [WordBits-1:0]    word;
  logic [8*BeatBytes-1:0] window;

  logic [1:0]                  write_keys, write_values;
  logic [1:0][RowBits-1:0]     write_row;
  logic [1:0][AddressBits-1:0] write_address;
  logic [1:0][8*BeatBytes-1:0] write_data;

  tt_kv_loader #(
    .BeatBytes(BeatBytes),
    .PageRows (PageRows),
    .WordsMax (WordsMax)
  ) u_loader (
    .clk_i,
    .rst_ni,
    .shape_i,
    .page_valid_i,
    .page_ready_o,
    .page_keys_i,
    .page_values_i,
    .page_pair_i,
    .beat_valid_i,
    .beat_ready_o,
    .beat_data_i,
    .keys_release_i,
    .values_release_i,
    .keys_loaded_o,
    .values_loaded_o,
    .keys_buffer_o  (keys_buffer),
    .values_buffer_o(values_buffer),
    .keys_row_o     (keys_row),
    .values_row_o   (values_row),
    .keys_step_o    (keys_step),
    .seen_step_o    (seen_step),
    .values_step_o  (values_step),
    .row_o          (row),
    .word_o         (word),
    .window_o       (window)
  );

  tt_kv_spread #(
    .BeatBytes(BeatBytes),
    .PageRows (PageRows),
    .WordBits (WordBits)
  ) u_spread (
    .clk_i,
    .rst_ni,
    .shape_i,
    .keys_row_i     (keys_row),
    .values_row_i   (values_row),
    .keys_buffer_i  (keys_buffer),
    .values_buffer_i(values_buffer),
    .row_i          (row),
    .word_i         (word),
    .window_i       (window),
    .keys_o         (write_keys),
    .values_o       (write_values),
    .row_o          (write_row),
    .address_o      (write_address),
    .data_o         (write_data)
  );

  tt_key_tile #(
    .Rows (PageRows),
    .Bytes(BeatBytes),
    .Words(Words)
  ) u_keys (
    .clk_i,
    .write_i        (write_keys),
    .write_row_i    (write_row),
    .write_address_i(write_address),
    .write_data_i   (write_data),
    .read_address_i (keys_address_i),
    .read_second_i  (keys_second_i),
    .read_data_o    (keys_o)
  );

  tt_value_tile #(
    .Rows (PageRows),
    .Bytes(BeatBytes),
    .Words(Words)
  ) u_values (
    .clk_i,
    .write_i        (write_values),
    .write_row_i    (write_row),
    .write_address_i(write_address),
    .write_data_i   (write_data),
    .read_address_i ({values_buffer_i, WordBits'(values_column_i >> 1)}),
    .read_data_o    (values_o)
  );

  tt_step_tile #(
    .Rows     (PageRows),
    .BeatBytes(BeatBytes),
    .Lanes    (Lanes)
  ) u_key_steps (
    .clk_i,
    .write_i       (keys_step),
    .write_buffer_i(keys_buffer),
    .write_beat_i  (row),
    .write_data_i  (window),
    .read_i        (steps_read_i),
    .read_buffer_i (steps_buffer_i),
    .part_i        (steps_part_i),
    .steps_o       (key_steps_o)
  );

  // The K pass needs V steps for their maximum, the V pass for the weights.
  tt_step_tile #(
    .Rows     (PageRows),
    .BeatBytes(BeatBytes),
    .Lanes    (Lanes)
  ) u_seen_steps (
    .clk_i,
    .write_i       (seen_step),
    .write_buffer_i(keys_buffer),
    .write_beat_i  (row),
    .write_data_i  (window),
    .read_i        (steps_read_i),
    .read_buffer_i (steps_buffer_i),
    .part_i        (steps_part_i),
    .steps_o       (seen_steps_o)
  );

  tt_step_tile #(
    .Rows     (PageRows),
    .BeatBytes(BeatBytes),
    .Lanes    (Lanes)
  ) u_value_steps (
    .clk_i,
    .write_i       (values_step),
    .write_buffer_i(values_buffer),
    .write_beat_i  (row),
    .write_data_i  (window),
    .read_i        (ratio_read_i),
    .read_buffer_i (ratio_buffer_i),
    .part_i        (ratio_part_i),
    .steps_o       (ratio_steps_o)
  );
endmodule

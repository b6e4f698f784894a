/// Writes what the loader cuts: int4 extended to int8, even and odd rows by a bus each.
///
/// Two rows of half a beat go at once. Of both words of an int4 row the second follows a cycle
/// later, when the other bus has the first of the next row. Of two rows of a beat and a half each,
/// the second word of the first row comes with the start of the second row, which waits for the
/// rest; then both words of that row are here. What follows a row in its last word is left as it
/// comes: queries are zero there and columns are not used.
module tt_kv_spread #(
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a page, even.
  parameter int unsigned PageRows = 16,
  /// Bits of the number of a row word.
  parameter int unsigned WordBits = 1,
  /// Bits of a row number.
  localparam int unsigned RowBits = $clog2(PageRows)
) (
  /// Clock.
  input  logic                         clk_i,
  /// Asynchronous reset, active low.
  input  logic                         rst_ni,
  /// The shape of rows.
  input  tt_attention_pkg::shape_t     shape_i,
  /// K rows are cut.
  input  logic                         keys_row_i,
  /// V rows are cut.
  input  logic                         values_row_i,
  /// Tile of K.
  input  logic [tt_attention_pkg::BufferBits-1:0] keys_buffer_i,
  /// Tile of V.
  input  logic [tt_attention_pkg::BufferBits-1:0] values_buffer_i,
  /// The row.
  input  logic [RowBits-1:0]           row_i,
  /// Number of the row word.
  input  logic [WordBits-1:0]          word_i,
  /// The bytes from the start of the row word on.
  input  logic [8*BeatBytes-1:0]       window_i,
  /// A row word of K is written: by the bus of even rows, of odd rows.
  output logic [1:0]                   keys_o,
  /// A row word of V is written.
  output logic [1:0]                   values_o,
  /// Row of each bus.
  output logic [1:0][RowBits-1:0]      row_o,
  /// Tile and row word of each bus.
  output logic [1:0][tt_attention_pkg::BufferBits+WordBits-1:0] address_o,
  /// The row word of each bus.
  output logic [1:0][8*BeatBytes-1:0]  data_o
);
  localparam int unsigned Half = BeatBytes / 2;

  logic [8*BeatBytes-1:0] first, second, joined, later_q;
  logic [tt_attention_pkg::BufferBits-1:0] buffer, later_buffer_q;
  logic                   cut, joins, both, later_keys_q, later_values_q;
  logic [RowBits-1:0]     later_row_q;

  for (genvar i = 0; i < BeatBytes; i++) begin : gen_byte
    logic [3:0] low, high;
    assign low  = window_i[4*i +: 4];
    assign high = window_i[4*(BeatBytes+i) +: 4];
    assign first[8*i +: 8]  = shape_i.int4 ? {{4{low[3]}}, low} : window_i[8*i +: 8];
    assign second[8*i +: 8] = shape_i.int4 ? {{4{high[3]}}, high}
                                           : window_i[8*(Half+i%Half) +: 8];
  end

  // The rest of the first word, and the second: its start came with the row before.
  assign joined = {window_i[4*BeatBytes-1:0], later_q[4*BeatBytes-1:0]};
  assign joins  = shape_i.half && row_i[0];
  assign both   = shape_i.wide || joins;
  assign cut    = keys_row_i || values_row_i;
  assign buffer = keys_row_i ? keys_buffer_i : values_buffer_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      later_keys_q   <= 1'b0;
      later_values_q <= 1'b0;
    end else begin
      later_keys_q   <= keys_row_i && both;
      later_values_q <= values_row_i && both;
    end
  end
  always_ff @(posedge clk_i) begin
    if (cut && (shape_i.wide || shape_i.half)) begin
      later_q        <= second;
      later_row_q    <= row_i;
      later_buffer_q <= buffer;
    end
  end

  for (genvar b = 0; b < 2; b++) begin : gen_bus
    logic mine, beside, later;  // what the bus carries next
    assign mine   = cut && row_i[0] == 1'(b);
    assign beside = cut && shape_i.pair && b == 1;
    assign later  = (later_keys_q || later_values_q) && later_row_q[0] == 1'(b);

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        keys_o[b]   <= 1'b0;
        values_o[b] <= 1'b0;
      end else begin
        keys_o[b]   <= (keys_row_i && (mine || beside)) || (later_keys_q && later);
        values_o[b] <= (values_row_i && (mine || beside)) || (later_values_q && later);
      end
    end
    always_ff @(posedge clk_i) begin
      if (mine || beside) begin
        row_o[b]     <= mine ? row_i : row_i + 1'b1;
        address_o[b] <= {buffer, word_i};
        if (b == 1 && joins) data_o[b] <= joined;
        else data_o[b] <= mine ? first : second;
      end else if (later) begin
        row_o[b]     <= later_row_q;
        address_o[b] <= {later_buffer_q, WordBits'(1)};
        data_o[b]    <= later_q;
      end
    end
  end

  logic unused;
  assign unused = ^shape_i;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!(later_keys_q || later_values_q) || !cut || row_i[0] != later_row_q[0]);
      assert (!cut || !shape_i.pair || !row_i[0]);
    end
  end
`endif
endmodule

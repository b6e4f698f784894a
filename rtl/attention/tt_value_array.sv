/// Sums of w * v over the rows of a page, Columns columns a cycle, added to the sums of the query.
///
/// A cascade of DSP blocks a column sums over the rows and adds the sum of the query before: row r
/// takes its weight and value r cycles after row 0. A query takes a cycle for each column word of a
/// row. Its sums are read one cycle after the operands of the last row and written three cycles
/// later: the same query comes at most every four cycles.
module tt_value_array #(
  /// Rows, at least 2.
  parameter int unsigned Rows = 16,
  /// Columns of a column word.
  parameter int unsigned Columns = 32,
  /// Bits of the number of a column word.
  parameter int unsigned ColumnBits = 2,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Bits of the number of a query: bank of its item and index.
  localparam int unsigned IndexBits = 1 + $clog2(Queries)
) (
  /// Clock.
  input  logic                            clk_i,
  /// Asynchronous reset, active low.
  input  logic                            rst_ni,
  /// Column words of a row.
  input  logic [7:0]                      columns_i,
  /// All weights of a query and a page.
  input  logic                            word_valid_i,
  /// The weights: row r in bits 16r+15..16r.
  input  logic [16*Rows-1:0]              word_i,
  /// The query.
  input  tt_attention_pkg::query_t        query_i,
  /// The tile of the column word that is read.
  output logic [tt_attention_pkg::BufferBits-1:0] read_buffer_o,
  /// Its number.
  output logic [ColumnBits-1:0]           read_column_o,
  /// Both halves of the row words that hold it, as tt_value_tile gives them.
  input  logic [16*Columns*Rows-1:0]      rows_i,
  /// A pulse: the tile has been read.
  output logic                            release_o,
  /// A pulse: the sums of an item are complete.
  output logic                            complete_o,
  /// Sums are wanted, of an item that is complete.
  input  logic                            sums_read_i,
  /// They are read: no query needs its own in this cycle.
  output logic                            sums_ready_o,
  /// Query and column word.
  input  logic [IndexBits+ColumnBits-1:0] sums_address_i,
  /// The sums, 48 bits each, one cycle after they are read, and in that cycle alone.
  output logic [48*Columns-1:0]           sums_o
);
  // ---- column words ----------------------------------------------------------------------------
  localparam int unsigned Last = Rows + 3;  // cycles from the operands of row 0 to the sums

  tt_attention_pkg::query_t query_q;
  logic                     active_q, last_column;
  logic [ColumnBits-1:0]    column_q;
  logic [16*Rows-1:0]       word_q, operand_q;

  assign last_column   = 8'(column_q) + 8'd1 == columns_i;
  assign read_buffer_o = query_q.values_buffer;
  assign read_column_o = column_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) active_q <= 1'b0;
    else active_q <= word_valid_i || (active_q && !last_column);
  end
  always_ff @(posedge clk_i) begin
    if (word_valid_i) begin
      word_q   <= word_i;
      query_q  <= query_i;
      column_q <= '0;
    end else if (active_q) begin
      column_q <= column_q + 1'b1;
    end
    if (active_q) operand_q <= word_q;
  end

  // ---- what goes along: bit n is n cycles after the operands of row 0 ---------------------------
  localparam int unsigned AddressBits = IndexBits + ColumnBits;
  logic [Last:0]          valid_q, first_q, close_q, last_q, high_q;
  logic [AddressBits-1:0] address, read_address, write_address;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q    <= '0;
      complete_o <= 1'b0;
    end else begin
      valid_q    <= {valid_q[Last-1:0], active_q};
      complete_o <= valid_q[Last] && last_q[Last];
    end
  end
  always_ff @(posedge clk_i) begin
    first_q <= {first_q[Last-1:0], query_q.first};
    close_q <= {close_q[Last-1:0], query_q.close && last_column};
    last_q  <= {last_q[Last-1:0], query_q.last && query_q.close && last_column};
    high_q  <= {high_q[Last-1:0], column_q[0]};
  end
  assign release_o = valid_q[Rows-1] && close_q[Rows-1];

  assign address = {query_q.bank, query_q.query[IndexBits-2:0], column_q};
  tt_delay #(.Width(AddressBits), .Cycles(Rows + 1)) u_read_address (
    .clk_i, .data_i(address), .data_o(read_address)
  );
  tt_delay #(.Width(AddressBits), .Cycles(3)) u_write_address (
    .clk_i, .data_i(read_address), .data_o(write_address)
  );

  // ---- weights, skewed as the rows are ---------------------------------------------------------
  logic [17*Rows-1:0] weights;
  logic [2*Rows-1:0]  halves;

  for (genvar r = 0; r < Rows; r++) begin : gen_weight
    logic [15:0] weight;
    if (r == 0) begin : gen_first
      assign weight = operand_q[15:0];
    end else begin : gen_later
      tt_delay #(.Width(16), .Cycles(r)) u_skew (
        .clk_i, .data_i(operand_q[16*r+:16]), .data_o(weight)
      );
    end
    assign weights[17*r+:17] = {1'b0, weight};
    assign halves[2*r+:2]    = {high_q[r], !high_q[r]};
  end

  // ---- sums over the rows ----------------------------------------------------------------------
  logic [48*Columns-1:0] new_sums;

  for (genvar c = 0; c < Columns; c++) begin : gen_column
    logic [8*Rows-1:0] low, high;
    for (genvar r = 0; r < Rows; r++) begin : gen_row
      assign low[8*r+:8]  = rows_i[8*(2*Columns*r+c)+:8];
      assign high[8*r+:8] = rows_i[8*(2*Columns*r+Columns+c)+:8];
    end
    tt_dsp_chain #(
      .Length(Rows),
      .ABits (8),
      .BBits (17)
    ) u_column (
      .clk_i,
      .valid_i(valid_q[Rows+2:0]),
      .use_i  (halves),
      .a_i    (low),
      .d_i    (high),
      .b_i    (weights),
      .add_i  (!first_q[Rows+1]),
      .c_i    (sums_o[48*c+:48]),
      .sum_o  (new_sums[48*c+:48])
    );
  end

  assign sums_ready_o = !valid_q[Rows] || first_q[Rows];
  tt_ram #(
    .Width(48 * Columns),
    .Depth(2 ** AddressBits),
    .Style("block")
  ) u_sums (
    .clk_i,
    .write_i        (valid_q[Last]),
    .write_address_i(write_address),
    .write_data_i   (new_sums),
    .read_i         (!sums_ready_o || sums_read_i),
    .read_address_i (sums_ready_o ? sums_address_i : read_address),
    .read_data_o    (sums_o)
  );

  logic unused;
  assign unused = ^{query_q, close_q, last_q, high_q, first_q};
endmodule

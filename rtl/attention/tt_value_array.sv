/// Sums of w * v over the rows of a page, Columns columns a cycle, added to the sums of the query.
///
/// A query takes a cycle for each column word of a row. Its sums are read two cycles after the
/// values and written two cycles later: the same query comes at most every four cycles.
module tt_value_array #(
  /// Rows, a multiple of 4.
  parameter int unsigned Rows = 16,
  /// Columns of a column word.
  parameter int unsigned Columns = 32,
  /// Bits of the number of a column word.
  parameter int unsigned ColumnBits = 2,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Bits of the number of a query.
  localparam int unsigned IndexBits = $clog2(Queries)
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
  /// A column word of all rows is read.
  output logic                            read_o,
  /// Its tile.
  output logic [1:0]                      read_buffer_o,
  /// Its number.
  output logic [ColumnBits-1:0]           read_column_o,
  /// Row r in bits 8 * Columns * r and up, one cycle after.
  input  logic [8*Columns*Rows-1:0]       rows_i,
  /// A pulse: the tile has been read.
  output logic                            release_o,
  /// A pulse: the sums of an item are complete.
  output logic                            complete_o,
  /// Sums are read: not while a query is in its V pass.
  input  logic                            sums_read_i,
  /// Query and column word.
  input  logic [IndexBits+ColumnBits-1:0] sums_address_i,
  /// The sums, 48 bits each, one cycle after.
  output logic [48*Columns-1:0]           sums_o
);
  // ---- column words ----------------------------------------------------------------------------
  tt_attention_pkg::query_t query_q;
  logic                     active_q, last_column;
  logic [ColumnBits-1:0]    column_q;
  logic [16*Rows-1:0]       word_q, operand_q;

  assign last_column   = 8'(column_q) + 8'd1 == columns_i;
  assign read_o        = active_q;
  assign read_buffer_o = query_q.values_buffer;
  assign read_column_o = column_q;
  assign release_o     = active_q && last_column && query_q.close;

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

  // ---- what goes along -------------------------------------------------------------------------
  localparam int unsigned AddressBits = IndexBits + ColumnBits;
  logic [3:0]             valid_q, last_q;
  logic [2:0]             first_q;
  logic [AddressBits-1:0] address, address2, address4;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q    <= '0;
      complete_o <= 1'b0;
    end else begin
      valid_q    <= {valid_q[2:0], active_q};
      complete_o <= valid_q[3] && last_q[3];
    end
  end
  always_ff @(posedge clk_i) begin
    first_q <= {first_q[1:0], query_q.first};
    last_q  <= {last_q[2:0], query_q.last && query_q.close && last_column};
  end
  assign address = {IndexBits'(query_q.query), column_q};
  tt_delay #(.Width(AddressBits), .Cycles(2)) u_address2 (
    .clk_i, .data_i(address), .data_o(address2)
  );
  tt_delay #(.Width(AddressBits), .Cycles(2)) u_address4 (
    .clk_i, .data_i(address2), .data_o(address4)
  );

  // ---- sums over the rows ----------------------------------------------------------------------
  logic [48*Columns-1:0] new_sums;

  for (genvar c = 0; c < Columns; c++) begin : gen_column
    logic [8*Rows-1:0] column;
    for (genvar r = 0; r < Rows; r++) begin : gen_row
      assign column[8*r +: 8] = rows_i[8*(Columns*r+c) +: 8];
    end
    tt_value_column #(.Rows(Rows)) u_column (
      .clk_i,
      .valid_i  (valid_q[2:0]),
      .first_i  (first_q[2]),
      .weights_i(operand_q),
      .values_i (column),
      .sum_i    (sums_o[48*c +: 48]),
      .sum_o    (new_sums[48*c +: 48])
    );
  end

  tt_ram #(
    .Width(48 * Columns),
    .Depth(2 ** AddressBits),
    .Style("block")
  ) u_sums (
    .clk_i,
    .write_i        (valid_q[3]),
    .write_address_i(address4),
    .write_data_i   (new_sums),
    .read_i         ((valid_q[1] && !first_q[1]) || sums_read_i),
    .read_address_i (valid_q[1] ? address2 : sums_address_i),
    .read_data_o    (sums_o)
  );

  logic unused;
  assign unused = ^query_q;
endmodule

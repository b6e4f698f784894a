/// Dot products of one query with all rows of a tile: a word of Bytes elements a cycle.
module tt_dot_array #(
  /// Rows, even.
  parameter int unsigned Rows = 16,
  /// Elements of a word, a multiple of 16.
  parameter int unsigned Bytes = 64
) (
  /// Clock.
  input  logic                    clk_i,
  /// Asynchronous reset, active low.
  input  logic                    rst_ni,
  /// A word of operands.
  input  logic                    valid_i,
  /// It starts a dot product.
  input  logic                    first_i,
  /// It ends one.
  input  logic                    last_i,
  /// Elements of the query.
  input  logic [8*Bytes-1:0]      query_i,
  /// Elements of the rows: row r in bits 8 * Bytes * r and up.
  input  logic [8*Bytes*Rows-1:0] rows_i,
  /// Dot product of row r, 24 bits each, DotLatency cycles after last_i; holds until the next.
  output logic [24*Rows-1:0]      dots_o
);
  logic [2:0]         valid_q, first_q, last_q;
  logic [8*Bytes-1:0] query_q;
  logic signed [15:0] sum, sum_q;  // of the query's elements

  always_comb begin
    sum = '0;
    for (int unsigned i = 0; i < Bytes; i++) begin
      sum = sum + {{8{query_q[8*i+7]}}, query_q[8*i +: 8]};
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[1:0], valid_i};
  end
  always_ff @(posedge clk_i) begin
    first_q <= {first_q[1:0], first_i};
    last_q  <= {last_q[1:0], last_i};
    if (valid_i) query_q <= query_i;
    if (valid_q[0]) sum_q <= sum;
  end

  for (genvar r = 0; r < Rows; r += 2) begin : gen_pair
    tt_dot_pair #(.Bytes(Bytes)) u_pair (
      .clk_i,
      .valid_i ({valid_q, valid_i}),
      .first_i (first_q[2]),
      .last_i  (last_q[2]),
      .query_i,
      .excess_i(sum_q),
      .even_i  (rows_i[8*Bytes*r +: 8*Bytes]),
      .odd_i   (rows_i[8*Bytes*(r+1) +: 8*Bytes]),
      .dots_o  (dots_o[24*r +: 48])
    );
  end
endmodule

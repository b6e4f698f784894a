/// Dot products of one query with two rows, which share a multiplier: with u0 = k0 + 128, the
/// product (k1 * 2^18 + u0) * q is k1 * q above u0 * q, and so are sums of four, since they fit 18
/// bits. What u0 has too much, 128 times the sum of the query, goes off at the end.
module tt_dot_pair #(
  /// Elements of a word, a multiple of 16.
  parameter int unsigned Bytes = 64
) (
  /// Clock.
  input  logic               clk_i,
  /// Bit n: a word of operands came n cycles ago.
  input  logic [3:0]         valid_i,
  /// The word of three cycles ago starts a dot product.
  input  logic               first_i,
  /// It ends one.
  input  logic               last_i,
  /// Elements of the query.
  input  logic [8*Bytes-1:0] query_i,
  /// Sum of the elements of two cycles ago.
  input  logic [15:0]        excess_i,
  /// Elements of the even row.
  input  logic [8*Bytes-1:0] even_i,
  /// Elements of the odd row.
  input  logic [8*Bytes-1:0] odd_i,
  /// Dot product of the even row and, above it, of the odd one.
  output logic [47:0]        dots_o
);
  localparam int unsigned Fours  = Bytes / 4;
  localparam int unsigned Groups = Bytes / 16;

  logic [18*Fours-1:0]  low, high;
  logic [20*Groups-1:0] low_sums, high_sums;

  for (genvar f = 0; f < Fours; f++) begin : gen_four
    logic signed [25:0] both0, both1, both2, both3;
    logic signed [35:0] sum_q;
    assign both0 = {odd_i[32*f +: 8], 10'd0, ~even_i[32*f+7], even_i[32*f +: 7]};
    assign both1 = {odd_i[32*f+8 +: 8], 10'd0, ~even_i[32*f+15], even_i[32*f+8 +: 7]};
    assign both2 = {odd_i[32*f+16 +: 8], 10'd0, ~even_i[32*f+23], even_i[32*f+16 +: 7]};
    assign both3 = {odd_i[32*f+24 +: 8], 10'd0, ~even_i[32*f+31], even_i[32*f+24 +: 7]};
    always_ff @(posedge clk_i) begin
      if (valid_i[0]) begin
        sum_q <= 36'(both0) * 36'(signed'(query_i[32*f +: 8]))
               + 36'(both1) * 36'(signed'(query_i[32*f+8 +: 8]))
               + 36'(both2) * 36'(signed'(query_i[32*f+16 +: 8]))
               + 36'(both3) * 36'(signed'(query_i[32*f+24 +: 8]));
      end
    end
    assign low[18*f +: 18]  = sum_q[17:0];
    assign high[18*f +: 18] = sum_q[35:18] + 18'(sum_q[17]);
  end

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    logic signed [19:0] low_q, high_q;
    always_ff @(posedge clk_i) begin
      if (valid_i[1]) begin
        low_q  <= (20'(signed'(low[72*g +: 18])) + 20'(signed'(low[72*g+18 +: 18])))
                + (20'(signed'(low[72*g+36 +: 18])) + 20'(signed'(low[72*g+54 +: 18])));
        high_q <= (20'(signed'(high[72*g +: 18])) + 20'(signed'(high[72*g+18 +: 18])))
                + (20'(signed'(high[72*g+36 +: 18])) + 20'(signed'(high[72*g+54 +: 18])));
      end
    end
    assign low_sums[20*g +: 20]  = low_q;
    assign high_sums[20*g +: 20] = high_q;
  end

  logic signed [23:0] low_word, high_word, low_word_q, high_word_q;
  logic signed [23:0] low_sum_q, high_sum_q, low_total, high_total;

  always_comb begin
    low_word  = -{excess_i[15], excess_i, 7'd0};
    high_word = '0;
    for (int unsigned g = 0; g < Groups; g++) begin
      low_word  = low_word + 24'(signed'(low_sums[20*g +: 20]));
      high_word = high_word + 24'(signed'(high_sums[20*g +: 20]));
    end
  end
  assign low_total  = first_i ? low_word_q : low_sum_q + low_word_q;
  assign high_total = first_i ? high_word_q : high_sum_q + high_word_q;

  always_ff @(posedge clk_i) begin
    if (valid_i[2]) begin
      low_word_q  <= low_word;
      high_word_q <= high_word;
    end
    if (valid_i[3]) begin
      low_sum_q  <= low_total;
      high_sum_q <= high_total;
      if (last_i) dots_o <= {high_total, low_total};
    end
  end
endmodule

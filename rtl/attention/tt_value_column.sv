/// One column: the sum of w * v over the rows of a page, added to a sum.
module tt_value_column #(
  /// Rows, a multiple of 4.
  parameter int unsigned Rows = 16
) (
  /// Clock.
  input  logic               clk_i,
  /// Bit n: weights and values came n cycles ago.
  input  logic [2:0]         valid_i,
  /// Those of two cycles ago start a sum.
  input  logic               first_i,
  /// Weights, unsigned.
  input  logic [16*Rows-1:0] weights_i,
  /// Values, signed.
  input  logic [8*Rows-1:0]  values_i,
  /// The sum before, for those of two cycles ago.
  input  logic [47:0]        sum_i,
  /// The sum, three cycles after.
  output logic [47:0]        sum_o
);
  localparam int unsigned Fours = Rows / 4;

  logic [26*Fours-1:0] fours;
  logic signed [28:0]  total, total_q;

  for (genvar f = 0; f < Fours; f++) begin : gen_four
    logic signed [25:0] four_q;
    always_ff @(posedge clk_i) begin
      if (valid_i[0]) begin
        four_q <= 26'(signed'({1'b0, weights_i[64*f +: 16]})) * 26'(signed'(values_i[32*f +: 8]))
                + 26'(signed'({1'b0, weights_i[64*f+16 +: 16]}))
                  * 26'(signed'(values_i[32*f+8 +: 8]))
                + 26'(signed'({1'b0, weights_i[64*f+32 +: 16]}))
                  * 26'(signed'(values_i[32*f+16 +: 8]))
                + 26'(signed'({1'b0, weights_i[64*f+48 +: 16]}))
                  * 26'(signed'(values_i[32*f+24 +: 8]));
      end
    end
    assign fours[26*f +: 26] = four_q;
  end

  always_comb begin
    total = '0;
    for (int unsigned f = 0; f < Fours; f++) total = total + 29'(signed'(fours[26*f +: 26]));
  end
  always_ff @(posedge clk_i) begin
    if (valid_i[1]) total_q <= total;
    if (valid_i[2]) sum_o <= {{19{total_q[28]}}, total_q} + (first_i ? '0 : sum_i);
  end
endmodule

/// The dot products of a pair of rows from the sums of its cascades, over the words of a row.
module tt_dot_sum #(
  /// Cascades, a power of two.
  parameter int unsigned Chains = 8
) (
  /// Clock.
  input  logic                 clk_i,
  /// Sums come; sums came a cycle ago.
  input  logic [1:0]           valid_i,
  /// The sums of a cycle ago start dot products.
  input  logic                 first_i,
  /// They end them.
  input  logic                 last_i,
  /// They are of the second half of the rows.
  input  logic                 second_i,
  /// What the dot product of the even row starts with.
  input  logic [23:0]          start_i,
  /// Sums of the even row, unsigned.
  input  logic [18*Chains-1:0] evens_i,
  /// Sums of the odd row, signed.
  input  logic [19*Chains-1:0] odds_i,
  /// Dot products of the even and the odd row of the first half and, above them, of the second;
  /// two cycles after their last sums. They hold until the next.
  output logic [95:0]          dots_o
);
  localparam int unsigned Group  = Chains < 4 ? Chains : 4;
  localparam int unsigned Groups = Chains / Group;

  logic [20*Groups-1:0] evens_q;
  logic [21*Groups-1:0] odds_q;
  logic [23:0]          even, odd, even_q, odd_q;

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    logic [19:0] evens;
    logic [20:0] odds;
    always_comb begin
      evens = '0;
      odds  = '0;
      for (int unsigned c = Group * g; c < Group * (g + 1); c++) begin
        evens = evens + 20'(evens_i[18*c+:18]);
        odds  = odds + 21'(signed'(odds_i[19*c+:19]));
      end
    end
    always_ff @(posedge clk_i) begin
      if (valid_i[0]) evens_q[20*g+:20] <= evens;
      if (valid_i[0]) odds_q[21*g+:21] <= odds;
    end
  end

  always_comb begin
    even = first_i ? start_i : even_q;
    odd  = first_i ? '0 : odd_q;
    for (int unsigned g = 0; g < Groups; g++) begin
      even = even + 24'(evens_q[20*g+:20]);
      odd  = odd + 24'(signed'(odds_q[21*g+:21]));
    end
  end
  always_ff @(posedge clk_i) begin
    if (valid_i[1]) begin
      even_q <= even;
      odd_q  <= odd;
      if (last_i && !second_i) dots_o[47:0] <= {odd, even};
      if (last_i && second_i) dots_o[95:48] <= {odd, even};
    end
  end
endmodule

/// A unit for the tests of the testbench itself: a stream that adds a constant to every byte, a
/// wide register, and an assertion that a test can break.
module tb_adder #(
  /// Bytes of a word.
  parameter int unsigned Bytes = 12
) (
  /// Clock.
  input  logic               clk_i,
  /// Reset, active low.
  input  logic               rst_ni,
  /// Added to every byte.
  input  logic [7:0]         addend_i,
  /// Stream in.
  input  logic               in_valid_i,
  /// Stream in.
  output logic               in_ready_o,
  /// Stream in.
  input  logic [8*Bytes-1:0] in_data_i,
  /// Stream out.
  output logic               out_valid_o,
  /// Stream out.
  input  logic               out_ready_i,
  /// Stream out.
  output logic [8*Bytes-1:0] out_data_o,
  /// Stream out: every fourth word.
  output logic               out_last_o,
  /// Breaks the rule of the output stream: the payload changes while it waits.
  input  logic               cheat_i,
  /// Breaks the assertion.
  input  logic               poison_i,
  /// Combinational: the sum of the low bytes.
  output logic [8:0]         sum_o,
  /// 37 bits, to have an odd width.
  output logic [36:0]        count_o
);
  logic [8*Bytes-1:0] word_q;
  logic [7:0]         history [4];
  logic               valid_q;

  assign sum_o       = {1'b0, in_data_i[7:0]} + {1'b0, addend_i};
  assign in_ready_o  = !valid_q || out_ready_i;
  assign out_valid_o = valid_q;
  assign out_data_o  = word_q ^ (8*Bytes)'(cheat_i & count_o[0]);
  assign out_last_o  = words_q == 2'd3;

  logic [1:0] words_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      words_q <= '0;
      count_o <= '0;
    end else begin
      count_o <= count_o + 1'b1;
      if (in_ready_o) valid_q <= in_valid_i;
      if (out_valid_o && out_ready_i) words_q <= words_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (in_valid_i && in_ready_o) begin
      history[words_q] <= in_data_i[7:0];
      for (int i = 0; i < Bytes; i++) word_q[8*i +: 8] <= in_data_i[8*i +: 8] + addend_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) assert (!poison_i) else $error("poisoned in cycle %0d", count_o);
  end

  logic unused;
  assign unused = ^history[0];
endmodule

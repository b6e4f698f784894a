/// The logistic function of two numbers by table, as binary32: at most a pair every other cycle.
///
/// `i = min(HalfEven(|x| * 128), 2047)`, the table's word i in units of 2^-17, or 1 minus it where
/// x has its sign bit set. The two numbers go through one after the other.
module tt_sigmoid (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic        rst_ni,
  /// The numbers are valid; not in two cycles running.
  input  logic        valid_i,
  /// The first number.
  input  logic [31:0] low_i,
  /// The second number.
  input  logic [31:0] high_i,
  /// The first result, tt_vector_pkg::SigmoidLatency cycles later.
  output logic [31:0] low_o,
  /// The second result, with the first one.
  output logic [31:0] high_o
);
  localparam int unsigned IndexBits = 13;  // signed, 4095 and below

  // |x| * 128 but for what is too small or too large to matter: zeros, subnormals, infinities; and
  // for NaN, whose result is NaN whatever it is multiplied by.
  function automatic logic [31:0] scaled(input logic [30:0] x);
    logic [8:0] exponent;
    exponent = 9'(x[30:23]) + 9'd7;
    scaled   = {1'b0, exponent >= 9'd255 ? 8'd254 : exponent[7:0], x[22:0]};
  endfunction

  function automatic logic [10:0] clipped(input logic [IndexBits-1:0] index);
    clipped = index[IndexBits-1:11] != '0 ? 11'd2047 : index[10:0];
  endfunction

  // x * 2^-17 of an integer of at most 2^17 as binary32.
  function automatic logic [31:0] lowered(input logic [30:0] x);
    lowered = {1'b0, x[30:23] == '0 ? 8'd0 : x[30:23] - 8'd17, x[22:0]};
  endfunction

  // ---- one after the other -----------------------------------------------------------------------
  logic                 second_q, index_valid, read_q, entry_q, float_valid, unused;
  logic [2:0]           sign_q;
  logic [31:0]          high_q, x, number, low_q;
  logic [IndexBits-1:0] index;
  logic [17:0]          entry, value_q;

  assign x = second_q ? high_q : low_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      second_q <= 1'b0;
      read_q   <= 1'b0;
      entry_q  <= 1'b0;
    end else begin
      second_q <= valid_i;
      read_q   <= index_valid;
      entry_q  <= read_q;
    end
  end

  tt_to_int #(.IntBits(IndexBits)) u_index (
    .clk_i, .rst_ni, .valid_i(valid_i | second_q), .a_i(scaled(x[30:0])), .valid_o(index_valid),
    .result_o(index)
  );

  tt_silu_table u_table (
    .clk_i,
    .read_i (index_valid),
    .index_i(clipped(index)),
    .entry_o(entry)
  );

  tt_from_int #(.IntBits(19)) u_float (
    .clk_i, .rst_ni, .valid_i(entry_q), .a_i({1'b0, value_q}), .valid_o(float_valid),
    .result_o(number)
  );

  always_ff @(posedge clk_i) begin
    sign_q <= {sign_q[1:0], x[31]};
    if (valid_i) high_q <= high_i;
    if (read_q) value_q <= sign_q[2] ? 18'h20000 - entry : entry;
    if (float_valid) low_q <= lowered(number[30:0]);
  end

  // The first result waits for the second one.
  assign low_o  = low_q;
  assign high_o = lowered(number[30:0]);

  assign unused = number[31];

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!valid_i || !second_q);
    end
  end
`endif
endmodule

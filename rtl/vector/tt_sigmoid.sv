/// The logistic function of two numbers by table, as binary32: at most a pair every other cycle.
///
/// `i = min(HalfEven(|x| * 128), 2047)`, the table's word i in units of 2^-17, or 1 minus it where x
/// has its sign bit set. The two numbers share the table, one a cycle.
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

  // |x| * 128; zeros and subnormals stay below a half, what is too large for binary32 is huge anyway.
  function automatic logic [31:0] scaled(input logic [30:0] x);
    logic [8:0] exponent;
    exponent = 9'(x[30:23]) + 9'd7;
    scaled   = {1'b0, x};
    if (x[30:23] != 8'hff && x[30:23] != '0) begin
      scaled[30:23] = exponent >= 9'd255 ? 8'd254 : exponent[7:0];
    end
  endfunction

  function automatic logic [10:0] clipped(input logic [IndexBits-1:0] index);
    clipped = index[IndexBits-1:11] != '0 ? 11'd2047 : index[10:0];
  endfunction

  // x * 2^-17 of an integer of at most 2^17 as binary32.
  function automatic logic [31:0] lowered(input logic [30:0] x);
    lowered = {1'b0, x[30:23] == '0 ? 8'd0 : x[30:23] - 8'd17, x[22:0]};
  endfunction

  // ---- index -----------------------------------------------------------------------------------
  logic [IndexBits-1:0] low_index, high_index;
  logic                 index_valid, high_valid;
  logic [1:0]           low_sign_q, high_sign_q;

  tt_to_int #(.IntBits(IndexBits)) u_low_index (
    .clk_i, .rst_ni, .valid_i, .a_i(scaled(low_i[30:0])), .valid_o(index_valid), .result_o(low_index)
  );
  tt_to_int #(.IntBits(IndexBits)) u_high_index (
    .clk_i, .rst_ni, .valid_i, .a_i(scaled(high_i[30:0])), .valid_o(high_valid), .result_o(high_index)
  );

  // ---- table -----------------------------------------------------------------------------------
  logic [10:0] high_index_q;
  logic        read_high_q, table_q, table2_q;
  logic        low_negative_q, high_negative_q;
  logic [17:0] entry, low_q, low2_q, high_q;

  tt_silu_table u_table (
    .clk_i,
    .read_i (index_valid | read_high_q),
    .index_i(index_valid ? clipped(low_index) : high_index_q),
    .entry_o(entry)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_high_q <= 1'b0;
      table_q     <= 1'b0;
      table2_q    <= 1'b0;
    end else begin
      read_high_q <= index_valid;
      table_q     <= read_high_q;
      table2_q    <= table_q;
    end
  end

  function automatic logic [17:0] signed_entry(input logic negative, input logic [17:0] value);
    signed_entry = negative ? 18'h20000 - value : value;
  endfunction

  always_ff @(posedge clk_i) begin
    low_sign_q  <= {low_sign_q[0], low_i[31]};
    high_sign_q <= {high_sign_q[0], high_i[31]};
    if (index_valid) begin
      high_index_q    <= clipped(high_index);
      low_negative_q  <= low_sign_q[1];
      high_negative_q <= high_sign_q[1];
    end
    if (read_high_q) low_q <= signed_entry(low_negative_q, entry);
    if (table_q) begin
      low2_q <= low_q;
      high_q <= signed_entry(high_negative_q, entry);
    end
  end

  // ---- binary32 --------------------------------------------------------------------------------
  logic [31:0] low_float, high_float;
  logic        low_valid, high_float_valid;

  tt_from_int #(.IntBits(19)) u_low_float (
    .clk_i, .rst_ni, .valid_i(table2_q), .a_i({1'b0, low2_q}), .valid_o(low_valid),
    .result_o(low_float)
  );
  tt_from_int #(.IntBits(19)) u_high_float (
    .clk_i, .rst_ni, .valid_i(table2_q), .a_i({1'b0, high_q}), .valid_o(high_float_valid),
    .result_o(high_float)
  );

  assign low_o  = lowered(low_float[30:0]);
  assign high_o = lowered(high_float[30:0]);

  logic unused;
  assign unused = ^{high_valid, low_valid, high_float_valid, low_float[31], high_float[31]};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!index_valid || !read_high_q);
    end
  end
`endif
endmodule

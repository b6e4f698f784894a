/// The factor of every query at the end of an item: (X * 256) / L, one after the other.
///
/// X / (L / 256) is the same number, and L / 256 takes no multiplication, since L is zero or at
/// least one. Where X * 256 is infinite X comes as infinity.
module tt_attention_factors #(
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Bits of the index of a query in its item.
  localparam int unsigned IndexBits = $clog2(Queries)
) (
  /// Clock.
  input  logic                 clk_i,
  /// Asynchronous reset, active low.
  input  logic                 rst_ni,
  /// A pulse: the sums of an item are complete.
  input  logic                 start_i,
  /// Queries of the item.
  input  logic [7:0]           queries_i,
  /// Bank of the item.
  input  logic                 bank_i,
  /// X of a query is written.
  input  logic                 write_i,
  /// The query: bank of its item and index.
  input  logic [IndexBits:0]   write_index_i,
  /// X, or infinity when X * 256 is.
  input  logic [31:0]          scale_i,
  /// Query whose sum of e is wanted.
  output logic [IndexBits:0]   total_index_o,
  /// Its sum of e, in the same cycle.
  input  logic [47:0]          total_i,
  /// A divide is wanted.
  output logic                 divide_valid_o,
  /// It is taken.
  input  logic                 divide_ready_i,
  /// X.
  output logic [31:0]          dividend_o,
  /// L / 256; anything when L is zero.
  output logic [31:0]          divisor_o,
  /// The quotient is here.
  input  logic                 quotient_valid_i,
  /// The quotient.
  input  logic [31:0]          quotient_i,
  /// A factor is at the output.
  output logic                 valid_o,
  /// It is taken.
  input  logic                 ready_i,
  /// Its query.
  output logic [IndexBits-1:0] index_o,
  /// It is the last of the item.
  output logic                 last_o,
  /// L is zero: the output is zero, whatever the factor.
  output logic                 zero_o,
  /// The factor, binary32.
  output logic [31:0]          factor_o
);
  typedef enum logic [2:0] {Idle, Read, Convert, Ask, Divide, Ready} state_e;
  state_e               state_q;
  logic [IndexBits-1:0] index_q;
  logic [31:0]          total_real;
  logic                 total_valid, taken, last_query;

  assign taken      = state_q == Ready && ready_i;
  assign last_query = 8'(index_q) + 8'd1 == queries_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) state_q <= Idle;
    else begin
      unique case (state_q)
        Idle:    if (start_i) state_q <= Read;
        Read:    state_q <= Convert;
        Convert: if (total_valid) state_q <= Ask;
        Ask:     if (divide_ready_i) state_q <= Divide;
        Divide:  if (quotient_valid_i) state_q <= Ready;
        default: if (taken) state_q <= last_query ? Idle : Read;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (state_q == Idle) index_q <= '0;
    else if (taken) index_q <= index_q + 1'b1;
    if (state_q == Read) zero_o <= total_i == '0;
    if (total_valid) divisor_o <= {total_real[31], total_real[30:23] - 8'd8, total_real[22:0]};
    if (state_q == Divide) factor_o <= quotient_i;
  end

  tt_ram #(.Width(32), .Depth(2 ** (IndexBits + 1)), .Style("distributed")) u_scales (
    .clk_i,
    .write_i,
    .write_address_i(write_index_i),
    .write_data_i   (scale_i),
    .read_i         (state_q == Read),
    .read_address_i ({bank_i, index_q}),
    .read_data_o    (dividend_o)
  );

  tt_from_int #(.IntBits(49)) u_total (
    .clk_i,
    .rst_ni,
    .valid_i (state_q == Read),
    .a_i     ({1'b0, total_i}),
    .valid_o (total_valid),
    .result_o(total_real)
  );

  assign total_index_o  = {bank_i, index_q};
  assign divide_valid_o = state_q == Ask;
  assign valid_o        = state_q == Ready;
  assign index_o        = index_q;
  assign last_o         = last_query;
endmodule

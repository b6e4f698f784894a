/// Dot products of one query with half of the rows of a tile: a word of Bytes elements a cycle.
///
/// Two rows share a multiplier: (k1 * 2^18 + k0) * q has k1 * q above k0 * q. Elements are at least
/// -128 and at most 127 or, for k0 * q, each product lies in -16,256..16,384; a cascade of DotChain
/// = 8 products lies in -130,048..131,072. Bias moves that to 512..261,632, so the lower 18 bits of
/// a cascade are its even sum and bias, and what is above them is its odd sum, for all operands.
module tt_dot_array #(
  /// Rows of a tile, a multiple of 4.
  parameter int unsigned Rows = 16,
  /// Elements of a word: 16, or a multiple of 32 that is a power of two.
  parameter int unsigned Bytes = 64
) (
  /// Clock.
  input  logic                    clk_i,
  /// Asynchronous reset, active low.
  input  logic                    rst_ni,
  /// Words of a dot product.
  input  logic [7:0]              words_i,
  /// A word of operands.
  input  logic                    valid_i,
  /// It starts the dot products of a half.
  input  logic                    first_i,
  /// It ends them.
  input  logic                    last_i,
  /// It is of the second half of the rows.
  input  logic                    second_i,
  /// Elements of the query.
  input  logic [8*Bytes-1:0]      query_i,
  /// Elements of the half's rows as tt_key_tile gives them.
  input  logic [4*Bytes*Rows-1:0] rows_i,
  /// Dot product of row r, 24 bits each, DotLatency cycles after last_i; holds until the next.
  output logic [24*Rows-1:0]      dots_o
);
  localparam int unsigned Length  = tt_attention_pkg::DotChain;
  localparam int unsigned Latency = tt_attention_pkg::DotLatency;
  localparam int unsigned Chains  = Bytes / Length;
  localparam int unsigned Bias    = 2 ** 17 - 2 ** 9;
  localparam int unsigned Log     = $clog2(Chains);

  if (Length != 8 || Latency != Length + 5 || 2 ** Log != Chains || Chains < 2) begin : gen_bad
    $fatal(1, "tt_dot_array: Bytes");
  end

  logic [Latency-1:0] valid, first, last, second;
  logic [Latency-2:0] valid_q, first_q, last_q, second_q;
  logic [23:0]        start_q;  // what all biases of a dot product are too much

  assign valid  = {valid_q, valid_i};
  assign first  = {first_q, first_i};
  assign last   = {last_q, last_i};
  assign second = {second_q, second_i};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= valid[Latency-2:0];
  end
  always_ff @(posedge clk_i) begin
    first_q  <= first[Latency-2:0];
    last_q   <= last[Latency-2:0];
    second_q <= second[Latency-2:0];
    start_q  <= (24'(words_i) << (9 + Log)) - (24'(words_i) << (17 + Log));
  end

  // ---- the query, skewed as the rows are -------------------------------------------------------
  logic [8*Bytes-1:0] query;

  for (genvar p = 0; p < Length; p++) begin : gen_class
    logic [8*Chains-1:0] bytes, skewed;
    for (genvar c = 0; c < Chains; c++) begin : gen_byte
      assign bytes[8*c+:8] = query_i[8*(Length*c+p)+:8];
      assign query[8*(Length*c+p)+:8] = skewed[8*c+:8];
    end
    if (p == 0) begin : gen_first
      assign skewed = bytes;
    end else begin : gen_later
      tt_delay #(.Width(8 * Chains), .Cycles(p)) u_skew (
        .clk_i,
        .data_i(bytes),
        .data_o(skewed)
      );
    end
  end

  // ---- a pair of rows --------------------------------------------------------------------------
  for (genvar r = 0; r < Rows / 2; r += 2) begin : gen_pair
    logic [18*Chains-1:0] evens;
    logic [19*Chains-1:0] odds;

    for (genvar c = 0; c < Chains; c++) begin : gen_chain
      logic [26*Length-1:0] even, odd;
      logic [47:0]          sum;
      for (genvar p = 0; p < Length; p++) begin : gen_operand
        localparam int unsigned Even = 8 * (Bytes * r + Length * c + p);
        localparam int unsigned Odd  = Even + 8 * Bytes;
        assign even[26*p+:26] = {{18{rows_i[Even+7]}}, rows_i[Even+:8]};
        assign odd[26*p+:26]  = {rows_i[Odd+:8], 18'd0};
      end
      tt_dsp_chain #(
        .Length(Length),
        .ABits (26),
        .BBits (8)
      ) u_chain (
        .clk_i,
        .valid_i(valid[Length+2:0]),
        .use_i  ('1),
        .a_i    (odd),
        .d_i    (even),
        .b_i    (query[8*Length*c+:8*Length]),
        .add_i  (1'b1),
        .c_i    (48'(Bias)),
        .sum_o  (sum)
      );
      assign evens[18*c+:18] = sum[17:0];
      assign odds[19*c+:19]  = sum[36:18];
      logic unused;
      assign unused = ^sum[47:37];
    end

    tt_dot_sum #(.Chains(Chains)) u_sum (
      .clk_i,
      .valid_i (valid[Latency-1-:2]),
      .first_i (first[Latency-1]),
      .last_i  (last[Latency-1]),
      .second_i(second[Latency-1]),
      .start_i (start_q),
      .evens_i (evens),
      .odds_i  (odds),
      .dots_o  ({dots_o[24*(Rows/2+r)+:48], dots_o[24*r+:48]})
    );
  end
endmodule

/// Scores of a query and a page, Lanes a cycle: from the dots, or from the store.
///
/// A page's scores of the K pass are kept in the store when they fit, in the order in which they
/// are made, and the V pass takes them in the same order. Beside the V pass of an item the K pass
/// of the next one puts each of its scores where one was read a cycle before.
module tt_attention_scores #(
  /// Rows of a page.
  parameter int unsigned PageRows = 16,
  /// Scores a cycle.
  parameter int unsigned Lanes = 4,
  /// Words of PageRows scores that the store holds.
  parameter int unsigned ScoreWords = 1024,
  /// Bits of the number of a part.
  localparam int unsigned PartBits = PageRows > Lanes ? $clog2(PageRows / Lanes) : 1
) (
  /// Clock.
  input  logic                     clk_i,
  /// Asynchronous reset, active low.
  input  logic                     rst_ni,
  /// A query, one cycle before its dots.
  input  logic                     query_valid_i,
  /// The query.
  input  tt_attention_pkg::query_t query_i,
  /// Rows that it sees.
  input  logic [PageRows-1:0]      visible_i,
  /// Its dots, 24 bits each; they hold until the next query.
  input  logic [24*PageRows-1:0]   dots_i,
  /// Its factor, binary32; holds as the dots do.
  input  logic [31:0]              factor_i,
  /// A part of the page: Lanes rows, in the cycles of the dots.
  output logic                     part_valid_o,
  /// Its number.
  output logic [PartBits-1:0]      part_o,
  /// Its query.
  output tt_attention_pkg::query_t part_query_o,
  /// Which of its rows are seen.
  output logic [Lanes-1:0]         part_visible_o,
  /// The K steps of the part.
  input  logic [32*Lanes-1:0]      steps_i,
  /// A pulse: the tile of K has been read.
  output logic                     keys_release_o,
  /// The same part MulLatency + 4 cycles later.
  output logic                     early_valid_o,
  /// Its number.
  output logic [PartBits-1:0]      early_part_o,
  /// Its query.
  output tt_attention_pkg::query_t early_query_o,
  /// The same part in the cycle before its scores.
  output logic                     due_valid_o,
  /// Its query.
  output tt_attention_pkg::query_t due_query_o,
  /// The scores of the part.
  output logic                     score_valid_o,
  /// Its number.
  output logic [PartBits-1:0]      score_part_o,
  /// Its query.
  output tt_attention_pkg::query_t score_query_o,
  /// The scores that were made, 24 bits each, Invisible where a row is not seen.
  output logic [24*Lanes-1:0]      score_o,
  /// The scores for the V pass: those that were made, or those of the store.
  output logic [24*Lanes-1:0]      value_score_o
);

  localparam int unsigned Parts     = PageRows / Lanes;
  localparam int unsigned StoreBits = $clog2(ScoreWords * Parts);
  localparam int unsigned SideBits  = tt_attention_pkg::QueryBits + PartBits + Lanes;
  // From the part to its scores: one cycle of selection, the lanes; early and fetch are on the way.
  localparam int unsigned Total     = 1 + 2 * tt_float_pkg::MulLatency + tt_float_pkg::ToIntLatency;
  localparam int unsigned Early     = tt_float_pkg::MulLatency + 4;
  localparam int unsigned Fetch    = Total - Early - 1;

  // ---- parts -----------------------------------------------------------------------------------
  logic                active_q;
  logic [PartBits-1:0] part_q;
  tt_attention_pkg::query_t              query_q;
  logic [PageRows-1:0] visible_q;
  logic                last_part;

  assign last_part = part_q == PartBits'(Parts - 1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) active_q <= 1'b0;
    else active_q <= query_valid_i || (active_q && !last_part);
  end
  always_ff @(posedge clk_i) begin
    if (query_valid_i) begin
      part_q    <= '0;
      query_q   <= query_i;
      visible_q <= visible_i;
    end else if (active_q) begin
      part_q    <= part_q + 1'b1;
      visible_q <= visible_q >> Lanes;
    end
  end

  assign part_valid_o   = active_q;
  assign part_o         = part_q;
  assign part_query_o   = query_q;
  assign part_visible_o = visible_q[Lanes-1:0];
  assign keys_release_o = active_q && last_part && query_q.keys && query_q.close;

  // ---- what goes along -------------------------------------------------------------------------
  logic [Total-1:0]    valid_q;
  logic [SideBits-1:0] side, early, fetch, due;
  logic [Lanes-1:0]    due_visible, unused_early;
  logic [PartBits-1:0] due_part;
  tt_attention_pkg::query_t              fetch_query;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Total-2:0], active_q};
  end

  assign side = {query_q, part_q, visible_q[Lanes-1:0]};
  tt_delay #(.Width(SideBits), .Cycles(Early))  u_early  (.clk_i, .data_i(side),   .data_o(early));
  tt_delay #(.Width(SideBits), .Cycles(Fetch)) u_fetch (.clk_i, .data_i(early),  .data_o(fetch));
  tt_delay #(.Width(SideBits), .Cycles(1))      u_due    (.clk_i, .data_i(fetch), .data_o(due));

  assign early_valid_o = valid_q[Early-1];
  assign {early_query_o, early_part_o, unused_early} = early;
  assign fetch_query   = fetch[SideBits-1 -: tt_attention_pkg::QueryBits];
  assign due_valid_o   = valid_q[Total-1];
  assign {due_query_o, due_part, due_visible} = due;

  // ---- lanes -----------------------------------------------------------------------------------
  logic                lanes_valid_q;
  logic [24*Lanes-1:0] dots, dots_q, scores, stored, score;
  logic [32*Lanes-1:0] steps_q;
  logic [31:0]         factor_q;

  always_comb begin
    dots = dots_i[24*Lanes-1:0];
    for (int unsigned p = 1; p < Parts; p++) begin
      if (part_q == PartBits'(p)) dots = dots_i[24*Lanes*p +: 24*Lanes];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) lanes_valid_q <= 1'b0;
    else lanes_valid_q <= active_q && query_q.keys;
  end
  always_ff @(posedge clk_i) begin
    if (active_q && query_q.keys) begin
      dots_q   <= dots;
      steps_q  <= steps_i;
      factor_q <= factor_i;
    end
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    tt_score_lane u_lane (
      .clk_i,
      .rst_ni,
      .valid_i (lanes_valid_q),
      .dot_i   (dots_q[24*l +: 24]),
      .factor_i(factor_q),
      .step_i  (steps_q[32*l +: 32]),
      .score_o (scores[24*l +: 24])
    );
    assign score[24*l +: 24] = due_visible[l] ? scores[24*l +: 24] : tt_attention_pkg::Invisible;
  end

  // ---- store -----------------------------------------------------------------------------------
  logic [StoreBits-1:0] write_q, write_at, read_q, read_at;
  logic                 write, read;

  assign write    = due_valid_o && due_query_o.keys && due_query_o.store;
  assign write_at = due_query_o.first && due_query_o.query == '0 && due_part == '0 ? '0 : write_q;
  assign read     = valid_q[Total-2] && fetch_query.values && fetch_query.store;
  assign read_at  = fetch_query.first && fetch_query.query == '0
                    && fetch[Lanes +: PartBits] == '0 ? '0 : read_q;

  always_ff @(posedge clk_i) begin
    if (write) write_q <= write_at + 1'b1;
    if (read) read_q <= read_at + 1'b1;
  end

  tt_ram #(
    .Width(24 * Lanes),
    .Depth(ScoreWords * Parts),
    .Style("ultra")
  ) u_store (
    .clk_i,
    .write_i        (write),
    .write_address_i(write_at),
    .write_data_i   (score),
    .read_i         (read),
    .read_address_i (read_at),
    .read_data_o    (stored)
  );

  // ---- scores ----------------------------------------------------------------------------------
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) score_valid_o <= 1'b0;
    else score_valid_o <= due_valid_o;
  end
  always_ff @(posedge clk_i) begin
    if (due_valid_o) begin
      score_part_o  <= due_part;
      score_query_o <= due_query_o;
      if (due_query_o.keys) score_o <= score;
      if (due_query_o.values) value_score_o <= due_query_o.store ? stored : score;
    end
  end

  logic unused;
  assign unused = ^{unused_early, fetch[Lanes-1:0], fetch_query};
endmodule

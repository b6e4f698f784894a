/// Weights of the V rows of a page for a query, Lanes a cycle, and the sum of e of every query.
module tt_attention_weights #(
  /// Rows of a page.
  parameter int unsigned PageRows = 16,
  /// Weights a cycle.
  parameter int unsigned Lanes = 4,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Bits of the number of a part.
  localparam int unsigned PartBits = PageRows > Lanes ? $clog2(PageRows / Lanes) : 1,
  /// Bits of the number of a query: bank of its item and index.
  localparam int unsigned IndexBits = 1 + $clog2(Queries)
) (
  /// Clock.
  input  logic                     clk_i,
  /// Asynchronous reset, active low.
  input  logic                     rst_ni,
  /// What the K pass left of a query is written.
  input  logic                     write_i,
  /// The query.
  input  logic [IndexBits-1:0]     write_index_i,
  /// Its largest score.
  input  logic [23:0]              max_score_i,
  /// 32768 / X.
  input  logic [31:0]              per_step_i,
  /// A part of a page comes; tt_attention_scores says when.
  input  logic                     early_valid_i,
  /// Its number.
  input  logic [PartBits-1:0]      early_part_i,
  /// Its query.
  input  tt_attention_pkg::query_t early_query_i,
  /// The steps of a tile of V are read.
  output logic                     steps_read_o,
  /// The tile.
  output logic [tt_attention_pkg::BufferBits-1:0] steps_buffer_o,
  /// The part of the steps, one cycle after the read and later.
  output logic [PartBits-1:0]      steps_part_o,
  /// The steps of that part.
  input  logic [32*Lanes-1:0]      steps_i,
  /// The scores of the part come in the next cycle.
  input  logic                     due_valid_i,
  /// Their query.
  input  tt_attention_pkg::query_t due_query_i,
  /// The scores.
  input  logic                     score_valid_i,
  /// Part of the page.
  input  logic [PartBits-1:0]      score_part_i,
  /// Their query.
  input  tt_attention_pkg::query_t score_query_i,
  /// The scores.
  input  logic [24*Lanes-1:0]      score_i,
  /// All weights of a query and a page.
  output logic                     word_valid_o,
  /// The weights: row r in bits 16r+15..16r.
  output logic [16*PageRows-1:0]   word_o,
  /// The query.
  output tt_attention_pkg::query_t word_query_o,
  /// Query whose sum of e is wanted; not while its item is in its V pass.
  input  logic [IndexBits-1:0]     total_index_i,
  /// Its sum of e, in the same cycle.
  output logic [47:0]              total_o
);
  localparam int unsigned Parts    = PageRows / Lanes;
  localparam int unsigned SideBits = PartBits + tt_attention_pkg::QueryBits;

  // ---- operands --------------------------------------------------------------------------------
  logic        early, due, score, step_valid_q;
  logic [31:0] per_step;
  logic [23:0] max_score;

  assign early          = early_valid_i && early_query_i.values;
  assign due            = due_valid_i && due_query_i.values;
  assign score          = score_valid_i && score_query_i.values;
  assign steps_read_o   = early && early_part_i == '0;
  assign steps_buffer_o = early_query_i.values_buffer;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) step_valid_q <= 1'b0;
    else step_valid_q <= early;
  end
  always_ff @(posedge clk_i) begin
    if (early) steps_part_o <= early_part_i;
  end

  tt_ram #(.Width(32), .Depth(2 ** IndexBits), .Style("distributed")) u_per_step (
    .clk_i,
    .write_i,
    .write_address_i(write_index_i),
    .write_data_i   (per_step_i),
    .read_i         (steps_read_o),
    .read_address_i ({early_query_i.bank, early_query_i.query[IndexBits-2:0]}),
    .read_data_o    (per_step)
  );

  tt_ram #(.Width(24), .Depth(2 ** IndexBits), .Style("distributed")) u_max (
    .clk_i,
    .write_i,
    .write_address_i(write_index_i),
    .write_data_i   (max_score_i),
    .read_i         (due),
    .read_address_i ({due_query_i.bank, due_query_i.query[IndexBits-2:0]}),
    .read_data_o    (max_score)
  );

  // ---- lanes -----------------------------------------------------------------------------------
  logic [4:0]            valid_q;
  logic [SideBits-1:0]   third, fifth;
  logic [PartBits-1:0]   third_part, fifth_part;
  tt_attention_pkg::query_t                third_query;
  logic [24*Lanes-1:0]   exps;
  logic [16*Lanes-1:0]   weights;

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    tt_weight_lane u_lane (
      .clk_i,
      .rst_ni,
      .step_valid_i (step_valid_q),
      .step_i       (steps_i[32*l +: 32]),
      .per_step_i   (per_step),
      .score_valid_i(score),
      .score_i      (score_i[24*l +: 24]),
      .max_i        (max_score),
      .exp_o        (exps[24*l +: 24]),
      .weight_o     (weights[16*l +: 16])
    );
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[3:0], score};
  end
  tt_delay #(.Width(SideBits), .Cycles(3)) u_third (
    .clk_i,
    .data_i({score_query_i, score_part_i}),
    .data_o(third)
  );
  tt_delay #(.Width(SideBits), .Cycles(2)) u_fifth (
    .clk_i,
    .data_i(third),
    .data_o(fifth)
  );
  assign {third_query, third_part}  = third;
  assign {word_query_o, fifth_part} = fifth;

  // ---- sums of e -------------------------------------------------------------------------------
  (* ram_style = "distributed" *) (* no_rw_check *)
  logic [47:0]          totals [2**IndexBits];
  logic [47:0]          total_new;
  logic [27:0]          sum, sum_q;
  logic                 sum_first_q;
  logic [IndexBits-1:0] sum_index_q;

  always_comb begin
    sum = '0;
    for (int unsigned l = 0; l < Lanes; l++) sum = sum + 28'(exps[24*l +: 24]);
  end
  always_ff @(posedge clk_i) begin
    if (valid_q[2]) begin
      sum_q       <= sum;
      sum_first_q <= third_query.first && third_part == '0;
      sum_index_q <= {third_query.bank, third_query.query[IndexBits-2:0]};
    end
    if (valid_q[3]) totals[sum_index_q] <= total_new;
  end
  assign total_o   = totals[total_index_i];
  assign total_new = 48'(sum_q) + (sum_first_q ? '0 : totals[sum_index_q]);

  // ---- a page's weights ------------------------------------------------------------------------
  logic [16*PageRows-1:0] gather_q;

  always_comb begin
    word_o = gather_q;
    word_o[16*Lanes*(Parts-1) +: 16*Lanes] = weights;
  end
  for (genvar p = 0; p < Parts; p++) begin : gen_part
    always_ff @(posedge clk_i) begin
      if (valid_q[4] && fifth_part == PartBits'(p)) gather_q[16*Lanes*p +: 16*Lanes] <= weights;
    end
  end
  assign word_valid_o = valid_q[4] && fifth_part == PartBits'(Parts - 1);

  logic unused;
  assign unused = ^{early_query_i, due_query_i, third_query, third_part};
endmodule

/// What the K pass leaves behind for every query: the largest score M and the largest visible V
/// step X; then what the V pass needs of them: M and 32768 / X, and X for the end.
module tt_attention_maxima #(
  /// Scores a cycle.
  parameter int unsigned Lanes = 4,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Parts of a page.
  parameter int unsigned Parts = 4,
  /// Bits of the number of a part.
  localparam int unsigned PartBits = Parts > 1 ? $clog2(Parts) : 1,
  /// Bits of the index of a query in its item.
  localparam int unsigned IndexBits = $clog2(Queries)
) (
  /// Clock.
  input  logic                     clk_i,
  /// Asynchronous reset, active low.
  input  logic                     rst_ni,
  /// Query heads of a key-value head; queries of one slot have one X.
  input  logic [7:0]               group_i,
  /// V steps of a part of a page.
  input  logic                     step_valid_i,
  /// Part of the page.
  input  logic [PartBits-1:0]      step_part_i,
  /// Its query.
  input  tt_attention_pkg::query_t step_query_i,
  /// Which of the rows are seen.
  input  logic [Lanes-1:0]         step_visible_i,
  /// The steps, binary32.
  input  logic [32*Lanes-1:0]      steps_i,
  /// Scores of a part of a page.
  input  logic                     score_valid_i,
  /// Part of the page.
  input  logic [PartBits-1:0]      score_part_i,
  /// Its query.
  input  tt_attention_pkg::query_t score_query_i,
  /// The scores.
  input  logic [24*Lanes-1:0]      score_i,
  /// Two items before are in their V passes or outputs.
  input  logic                     items_busy_i,
  /// Everything is known for the V pass of the item.
  output logic                     prepared_o,
  /// A pulse: the V pass starts.
  input  logic                     begin_values_i,
  /// A divide is wanted.
  output logic                     divide_valid_o,
  /// It is taken.
  input  logic                     divide_ready_i,
  /// The divisor.
  output logic [31:0]              divisor_o,
  /// The quotient is here.
  input  logic                     quotient_valid_i,
  /// The quotient.
  input  logic [31:0]              quotient_i,
  /// The values of a query are written.
  output logic                     write_o,
  /// The query: bank of the item and index.
  output logic [IndexBits:0]       write_index_o,
  /// Its largest score.
  output logic [23:0]              max_score_o,
  /// 32768 / X.
  output logic [31:0]              per_step_o,
  /// X, or infinity when X * 256 is.
  output logic [31:0]              scale_o
);
  // ---- X ---------------------------------------------------------------------------------------
  (* ram_style = "distributed" *) (* no_rw_check *)
  logic [31:0]          steps [Queries];
  logic [31:0]          step_max, step_q, step_old, step_new;
  logic                 step_valid_q, step_first_q;
  logic [IndexBits-1:0] step_index_q;

  always_comb begin
    step_max = '0;
    for (int unsigned l = 0; l < Lanes; l++) begin
      // Not-a-number and negative steps do not count.
      if (step_visible_i[l] && steps_i[32*l +: 32] <= 32'h7f800000
          && steps_i[32*l +: 32] > step_max) begin
        step_max = steps_i[32*l +: 32];
      end
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) step_valid_q <= 1'b0;
    else step_valid_q <= step_valid_i;
  end
  always_ff @(posedge clk_i) begin
    if (step_valid_i) begin
      step_q       <= step_max;
      step_first_q <= step_query_i.first && step_part_i == '0;
      step_index_q <= IndexBits'(step_query_i.query);
    end
    if (step_valid_q) steps[step_index_q] <= step_new;
  end
  assign step_new = step_first_q || step_q > step_old ? step_q : step_old;

  // ---- M ---------------------------------------------------------------------------------------
  (* ram_style = "distributed" *) (* no_rw_check *)
  logic signed [23:0]   scores [Queries];
  logic signed [23:0]   score_max, score_q, score_old, score_new;
  logic                 score_valid_q, score_first_q, score_last_q;
  logic [IndexBits-1:0] score_index_q, index_q;

  always_comb begin
    score_max = 24'sh800001;
    for (int unsigned l = 0; l < Lanes; l++) begin
      if (signed'(score_i[24*l +: 24]) > score_max) score_max = signed'(score_i[24*l +: 24]);
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) score_valid_q <= 1'b0;
    else score_valid_q <= score_valid_i;
  end
  always_ff @(posedge clk_i) begin
    if (score_valid_i) begin
      score_q       <= score_max;
      score_first_q <= score_query_i.first && score_part_i == '0;
      score_last_q  <= score_query_i.last && score_query_i.close
                       && score_part_i == PartBits'(Parts - 1);
      score_index_q <= IndexBits'(score_query_i.query);
    end
    if (score_valid_q) scores[score_index_q] <= score_new;
  end
  assign score_new = score_first_q || score_q > score_old ? score_q : score_old;

  // ---- for the V pass --------------------------------------------------------------------------
  typedef enum logic [2:0] {Idle, Wait, Read, Ask, Divide, Write} state_e;
  state_e               state_q;
  logic [IndexBits-1:0] last_q;
  logic [7:0]           member_q;
  logic [31:0]          largest_q, quotient_q, scale_q;
  logic [23:0]          max_q;
  logic                 prepared_q, bank_q;

  assign step_old  = steps[state_q == Read ? index_q : step_index_q];
  assign score_old = scores[state_q == Read ? index_q : score_index_q];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q    <= Idle;
      prepared_q <= 1'b0;
      bank_q     <= 1'b0;
    end else begin
      if (begin_values_i) begin
        prepared_q <= 1'b0;
        bank_q     <= !bank_q;
      end
      unique case (state_q)
        Idle:   if (score_valid_q && score_last_q) state_q <= Wait;
        Wait:   if (!items_busy_i) state_q <= Read;
        Read:   state_q <= member_q == '0 ? Ask : Write;
        Ask:    if (divide_ready_i) state_q <= Divide;
        Divide: if (quotient_valid_i) state_q <= Write;
        default: begin  // Write
          state_q    <= index_q == last_q ? Idle : Read;
          prepared_q <= index_q == last_q;
        end
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    unique case (state_q)
      Idle: begin
        index_q  <= '0;
        member_q <= '0;
        last_q   <= score_index_q;
      end
      Read: begin
        largest_q <= step_old;
        max_q     <= score_old;
      end
      Divide: begin
        if (quotient_valid_i) quotient_q <= quotient_i;
        scale_q <= largest_q[30:23] >= 8'd247 ? 32'h7f800000 : largest_q;
      end
      Write: begin
        index_q  <= index_q + 1'b1;
        member_q <= member_q + 8'd1 == group_i ? '0 : member_q + 1'b1;
      end
      default: ;
    endcase
  end

  assign prepared_o     = prepared_q;
  assign divide_valid_o = state_q == Ask;
  assign divisor_o      = largest_q;
  assign write_o        = state_q == Write;
  assign write_index_o  = {bank_q, index_q};
  assign max_score_o    = max_q;
  assign per_step_o     = quotient_q;
  assign scale_o        = scale_q;

  logic unused;
  assign unused = ^{step_query_i, score_query_i};
endmodule

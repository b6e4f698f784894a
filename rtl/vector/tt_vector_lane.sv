/// One lane of the vector unit: every binary32 operation of an element, in pipelines that never
/// stop.
///
/// ```text
///   sums ─► real ─┐                  ┌─────────── sine, gate ──────────► second product ─┐
///   X, Y ─────────┴─► first product ─┼─► + X, + rotated ─► sum ─────────────────────────┼─► tap
///                                    └─► gate and up, delayed                           │
///                                                         gated, third product ─────────┘
///   tap ─┬─► X, Y, maximum of a head
///        ├─► second product: by the weight ─► maximum of a row
///        └─► third product: by itself ─► partial sums; by the scale ─► integer
/// ```
///
/// What a pass does not use is passed by with 1 or -0, which leave every number as it is. Registers
/// that the pass does not need keep their value.
module tt_vector_lane (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic        rst_ni,
  /// What the pass does; constant while words are on their way.
  input  tt_vector_pkg::pass_t pass_i,
  /// Word valid in each stage.
  input  logic [tt_vector_pkg::Stages-1:0] valid_i,
  /// It is the second of a pair.
  input  logic [tt_vector_pkg::Stages-1:0] second_i,
  /// Stage 0: a sum.
  input  logic [23:0] sum_i,
  /// Stage 2: an element of X.
  input  logic [31:0] x_i,
  /// Stage 2: an element of Y.
  input  logic [31:0] y_i,
  /// Stage 3: the factor of the slot.
  input  logic [31:0] scalar_i,
  /// Stage 3, or with weigh_i[0]: the parameter.
  input  logic [31:0] weight_i,
  /// Stage 3: cosine.
  input  logic [31:0] cosine_i,
  /// Stage 3: sine.
  input  logic [31:0] sine_i,
  /// Stage StageScaled: what is added, an element of X.
  input  logic [31:0] addend_i,
  /// Stage StageScaled: the gate, of both words of a pair.
  output logic [31:0] scaled_o,
  /// Stage StageGate of the first of a pair: the logistic function of the gate.
  input  logic [31:0] sigma_i,
  /// The tap takes a sum or second product, or with gate_result_i a third product, in this cycle.
  input  logic        tap_i,
  /// The tap takes the result of the gate.
  input  logic        gate_result_i,
  /// The element counts; otherwise the tap takes +0.
  input  logic        keep_i,
  /// With tap_i: the scale of the group.
  input  logic [31:0] scale_i,
  /// The tap.
  output logic [31:0] tap_o,
  /// The tap is weighed: load the factors, start.
  input  logic [1:0]  weigh_i,
  /// MulLatency cycles after weigh_i[1]: the tap by the parameter.
  output logic [31:0] weighed_o,
  /// A third product or square starts: the tap was taken in the cycle before.
  input  logic        third_i,
  /// The third product becomes an integer.
  input  logic        integer_i,
  /// The integer.
  output logic [7:0]  integer_o,
  /// The addends of a partial sum: load the first, the second.
  input  logic [1:0]  load_i,
  /// The first addend is the partial sum, not the square.
  input  logic        tree_i,
  /// The second addend comes from another lane.
  input  logic        cross_i,
  /// A partial sum.
  input  logic [31:0] partial_i,
  /// The partial sum of another lane.
  input  logic [31:0] other_i,
  /// A partial sum starts: both addends were loaded.
  input  logic        accumulate_i,
  /// The sum, AddLatency cycles later.
  output logic [31:0] partial_o
);
  localparam int unsigned StageProduct   = tt_vector_pkg::StageProduct;
  localparam int unsigned SigmoidLatency = tt_vector_pkg::SigmoidLatency;
  localparam int unsigned StageGated     = tt_vector_pkg::StageGated;
  localparam int unsigned StageGate      = tt_vector_pkg::StageGate;
  localparam int unsigned StageScaled    = tt_vector_pkg::StageScaled;

  localparam logic [31:0] One       = 32'h3f80_0000;
  localparam logic [31:0] MinusZero = 32'h8000_0000;

  // ---- the element, and its partner in a rotation -----------------------------------------------
  logic [31:0] real_sum, source, element_q, first_a_q, first_b_q, partner, first_b, scaled;
  logic        real_valid, scaled_valid;

  tt_from_int #(.IntBits(24)) u_real (
    .clk_i, .rst_ni, .valid_i(valid_i[0] & (pass_i.source == tt_vector_pkg::FromSums)),
    .a_i(sum_i), .valid_o(real_valid), .result_o(real_sum)
  );

  always_comb begin
    case (pass_i.source)
      tt_vector_pkg::FromSums: source = real_sum;
      tt_vector_pkg::FromX:    source = x_i;
      default:                 source = y_i;
    endcase
  end

  // Stage 3: the partner of the first is one stage behind, that of the second one stage ahead.
  assign partner = second_i[3] ? first_a_q : source;

  always_comb begin
    case (pass_i.scalar)
      tt_vector_pkg::ByCosine: first_b = cosine_i;
      tt_vector_pkg::ByWeight: first_b = weight_i;
      tt_vector_pkg::ByOne:    first_b = One;
      default:                 first_b = scalar_i;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[2]) element_q <= source;
    if (valid_i[3]) begin
      first_a_q <= element_q;
      first_b_q <= first_b;
    end
  end

  tt_fmul u_first (
    .clk_i, .rst_ni, .valid_i(valid_i[StageProduct]), .a_i(first_a_q), .b_i(first_b_q),
    .valid_o(scaled_valid), .result_o(scaled)
  );
  assign scaled_o = scaled;

  // ---- gate: both words of a pair, later --------------------------------------------------------
  localparam int unsigned GateDelay = SigmoidLatency;
  localparam int unsigned UpDelay   = StageGated - StageGate;

  logic [GateDelay-1:0][31:0] gate_q;
  logic [UpDelay-2:0][31:0]   up_q;
  logic [31:0]                gate, opened, up;
  logic                       gate_move;

  assign gate_move = pass_i.gate & (valid_i[StageGated-1:StageScaled] != '0);

  always_ff @(posedge clk_i) begin
    if (gate_move) begin
      gate_q <= {gate_q[GateDelay-2:0], scaled};
      up_q   <= {up_q[UpDelay-3:0], gate_q[GateDelay-1]};
    end
  end

  assign gate   = gate_q[GateDelay-1];
  assign up     = up_q[UpDelay-2];
  assign opened = gate[31] || gate[30:0] > 31'h7f80_0000 ? '0 : gate;

  // ---- second product ---------------------------------------------------------------------------
  logic        second_load, second_start;
  logic [31:0] second_a, second_b, second_a_q, second_b_q, product, tap_q;
  logic        product_valid;

  always_comb begin
    if (pass_i.gate) begin
      second_load  = valid_i[StageGate] & ~second_i[StageGate];
      second_start = valid_i[StageGate+1] & ~second_i[StageGate+1];
      second_a     = pass_i.silu ? gate : opened;
      second_b     = pass_i.silu ? sigma_i : opened;
    end else begin
      second_load  = valid_i[3] & pass_i.rotate;
      second_start = valid_i[StageProduct] & pass_i.rotate;
      second_a     = partner;
      second_b     = sine_i;
    end
    // Between those of the pairs of a gate: the tap takes a result in the cycles of these loads.
    if (weigh_i[0]) begin
      second_a = tap_q;
      second_b = weight_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (second_load || weigh_i[0]) begin
      second_a_q <= second_a;
      second_b_q <= second_b;
    end
  end

  tt_fmul u_second (
    .clk_i, .rst_ni, .valid_i(second_start | weigh_i[1]), .a_i(second_a_q), .b_i(second_b_q),
    .valid_o(product_valid), .result_o(product)
  );
  assign weighed_o = product;

  // ---- sum --------------------------------------------------------------------------------------
  logic        sums;
  logic [31:0] addend, sum_a_q, sum_b_q, sum;
  logic        sum_valid;

  assign sums = ~pass_i.gate;

  always_comb begin
    // (a cos - b sin, b cos + a sin)
    if (pass_i.rotate) addend = product ^ {~second_i[StageScaled], 31'b0};
    else if (pass_i.add_x) addend = addend_i;
    else addend = MinusZero;
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[StageScaled] && sums) begin
      sum_a_q <= scaled;
      sum_b_q <= addend;
    end
  end

  tt_fadd u_sum (
    .clk_i, .rst_ni, .valid_i(valid_i[StageScaled+1] & sums), .a_i(sum_a_q), .b_i(sum_b_q),
    .valid_o(sum_valid), .result_o(sum)
  );

  // ---- tap and third product --------------------------------------------------------------------
  logic [31:0] tap, third_b_q, third;
  logic        square, third_valid;

  assign square = pass_i.gate ? gate_result_i : pass_i.square;

  always_comb begin
    if (!keep_i) tap = '0;
    else if (gate_result_i) tap = third;
    else if (pass_i.gate) tap = product;
    else tap = sum;
  end

  always_ff @(posedge clk_i) begin
    if (tap_i) begin
      tap_q     <= tap;
      third_b_q <= square ? tap : pass_i.gate ? up : scale_i;
    end
  end
  assign tap_o = tap_q;

  tt_fmul u_third (
    .clk_i, .rst_ni, .valid_i(third_i), .a_i(tap_q), .b_i(third_b_q), .valid_o(third_valid),
    .result_o(third)
  );

  // ---- integer ----------------------------------------------------------------------------------
  // A maximum becomes 127, or 7: there is nothing to clamp for int4.
  logic whole_valid;

  tt_to_int #(.IntBits(8)) u_integer (
    .clk_i, .rst_ni, .valid_i(integer_i), .a_i(third), .valid_o(whole_valid), .result_o(integer_o)
  );

  // ---- partial sums -----------------------------------------------------------------------------
  logic [31:0] partial_a_q, partial_b_q;
  logic        partial_valid;

  always_ff @(posedge clk_i) begin
    if (load_i[0]) partial_a_q <= tree_i ? partial_i : third;
    if (load_i[1]) partial_b_q <= cross_i ? other_i : partial_i;
  end

  tt_fadd u_partial (
    .clk_i, .rst_ni, .valid_i(accumulate_i), .a_i(partial_a_q), .b_i(partial_b_q),
    .valid_o(partial_valid), .result_o(partial_o)
  );

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!weigh_i[0] || !second_load);
    end
  end
`endif

  logic unused;
  assign unused = ^{pass_i, valid_i, second_i, real_valid, scaled_valid, product_valid, sum_valid,
                    third_valid, whole_valid, partial_valid};
endmodule

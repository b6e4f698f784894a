/// The scalars of the vector unit: one of each binary32 unit, one job at a time.
///
/// * factor: what a sum of a slot is worth, step * scale;
/// * scale of a head's maximum m: a = max(m, 1e-5), s = 127 / a, step = a * (1/127), or with 7;
/// * scale of a norm: r = 1 / sqrt(sum * (1/n) + eps), s = min(127 / m, (127 / 1e-5) * r),
///   step = max(m * r, 1e-5) * (1/127).
module tt_vector_scalars #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Groups of which scales are held.
  parameter int unsigned Groups = 512,
  /// Groups whose maxima may wait, a power of two.
  parameter int unsigned Waiting = 16,
  /// Bits of the number of a slot.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Bits of the number of a factor: plane, slot.
  localparam int unsigned FactorBits = SlotBits + 1,
  /// Bits of the number of a group.
  localparam int unsigned GroupBits = $clog2(Groups)
) (
  /// Clock.
  input  logic                  clk_i,
  /// Asynchronous reset, active low: no job.
  input  logic                  rst_ni,
  /// Slots of the pass.
  input  logic [7:0]            slots_i,
  /// Work out the factors; only when none are being worked out.
  input  logic                  factors_start_i,
  /// Of both planes.
  input  logic                  factors_two_i,
  /// Scales of the matrices, constant until done: plane 0, plane 1.
  input  logic [1:0][31:0]      factors_scale_i,
  /// The factors are being worked out.
  output logic                  factors_busy_o,
  /// A sum of squares is complete.
  input  logic                  sum_valid_i,
  /// The sum.
  input  logic [31:0]           sum_i,
  /// Its slot.
  input  logic [7:0]            sum_slot_i,
  /// 1 / n.
  input  logic [31:0]           inverse_i,
  /// Added to the mean square.
  input  logic [31:0]           eps_i,
  /// A maximum is there; at most Waiting are not done.
  input  logic                  maximum_valid_i,
  /// It, without sign.
  input  logic [30:0]           maximum_i,
  /// Its group.
  input  logic [15:0]           maximum_group_i,
  /// Its slot.
  input  logic [7:0]            maximum_slot_i,
  /// Its head.
  input  logic [7:0]            maximum_head_i,
  /// Maxima: scale to -7..7. Constant while maxima wait.
  input  logic                  int4_i,
  /// Maxima: of a norm; the step is that of the slot's row of buffer A, whose sum is there.
  input  logic                  to_blocks_i,
  /// Maxima: the step gives the factor of a query.
  input  logic                  to_queries_i,
  /// What that step is multiplied by.
  input  logic [31:0]           score_constant_i,
  /// The scale of a group is there, for one cycle.
  output logic                  scale_done_o,
  /// A query factor is there, for one cycle.
  output logic                  query_o,
  /// Its slot.
  output logic [7:0]            query_slot_o,
  /// Its head.
  output logic [7:0]            query_head_o,
  /// The factor.
  output logic [31:0]           query_factor_o,
  /// The steps of buffer A.
  output logic [32*Slots-1:0]   step_a_o,
  /// A factor is read.
  input  logic                  read_i,
  /// The factor's number.
  input  logic [FactorBits-1:0] factor_address_i,
  /// The factor, one cycle later.
  output logic [31:0]           factor_o,
  /// A scale is read.
  input  logic                  scale_read_i,
  /// Its group.
  input  logic [GroupBits-1:0]  scale_address_i,
  /// The scale, one cycle later.
  output logic [31:0]           scale_o,
  /// A step is read.
  input  logic                  step_read_i,
  /// Its group.
  input  logic [GroupBits-1:0]  step_address_i,
  /// The step, one cycle later.
  output logic [31:0]           step_o,
  /// No job.
  output logic                  idle_o
);
  localparam logic [30:0] Floor  = 31'h3727_c5ac;  // 1e-5
  localparam logic [31:0] Inv127 = 32'h3c01_0204;
  localparam logic [31:0] Inv7   = 32'h3e12_4925;
  localparam logic [31:0] Is127  = 32'h42fe_0000;
  localparam logic [31:0] Is7    = 32'h40e0_0000;
  localparam logic [31:0] One    = 32'h3f80_0000;
  localparam logic [31:0] Limit  = 32'h4b41_c960;  // 127 / 1e-5

  // ---- maxima that wait -------------------------------------------------------------------------
  logic        waits, take, fifo_ready;
  logic [30:0] value;
  logic [15:0] group;
  logic [7:0]  slot, head;

  tt_fifo #(
    .Width(63),
    .Depth(Waiting)
  ) u_maxima (
    .clk_i,
    .rst_ni,
    .valid_i(maximum_valid_i),
    .ready_o(fifo_ready),
    .data_i ({maximum_i, maximum_group_i, maximum_slot_i, maximum_head_i}),
    .valid_o(waits),
    .ready_i(take),
    .data_o ({value, group, slot, head})
  );

  // ---- the job ----------------------------------------------------------------------------------
  typedef enum logic [3:0] {
    Idle, Factors, Mean, Add, Root, Inverse, Products, Scale, Factor
  } state_e;

  state_e                state_q;
  logic                  factors_q, issued_q, read_q, step_valid_q, scale_valid_q, root_valid_q;
  logic [FactorBits:0]   issue_q, result_q;  // plane above slot
  logic [1:0]            products_q;  // of a norm's three products: those that are there
  logic [2:0]            product_q;   // the product that starts
  logic [30:0]           value_q;
  logic [31:0]           step_q, scale_q, root_q, step_read, sum;
  logic [15:0]           group_q;
  logic [7:0]            slot_q, head_q;
  logic                  issue_end, result_end, start_scale, start_factors, first;

  // Numbers of factors: slot in the low bits.
  function automatic logic [FactorBits:0] next_factor(input logic [FactorBits:0] number,
                                                      input logic [7:0] slots);
    if (8'(number[SlotBits-1:0]) + 8'd1 == slots) begin
      next_factor = ((number >> SlotBits) + (FactorBits + 1)'(1)) << SlotBits;
    end else begin
      next_factor = number + 1'b1;
    end
  endfunction

  logic                plane_q;  // of the factor that is worked out
  logic                mul_valid, mul_done, add_done, div_valid, div_ready, div_done, root_ready,
                       root_done, start_inverse;
  logic [31:0]         mul_a, mul_b, mul, add, div_a, div_b, div, root;
  logic [FactorBits:0] factors_end;

  assign first         = state_q == Idle;
  assign start_factors = first & factors_q;
  assign start_scale   = first & ~factors_q & waits & div_ready & root_ready;
  assign start_inverse = state_q == Inverse & ~root_valid_q & div_ready;
  assign take          = start_scale;
  assign factors_end   = (FactorBits + 1)'(factors_two_i ? 2 : 1) << SlotBits;
  assign issue_end     = issue_q == factors_end;
  assign result_end    = result_q == factors_end;

  always_comb begin
    mul_a = {1'b0, value_q};
    div_a = start_inverse ? One : int4_i ? Is7 : Is127;
    div_b = start_inverse ? root_q : {1'b0, value_q};
    unique case (state_q)
      Factors: begin
        mul_valid = read_q;
        mul_a     = step_read;
        mul_b     = factors_scale_i[plane_q];
      end
      Mean: begin
        mul_valid = issued_q;
        mul_a     = sum;
        mul_b     = inverse_i;
      end
      Products: begin
        mul_valid = product_q != '0;
        mul_b     = product_q[2] ? Inv127 : root_q;
        if (product_q[1]) mul_a = Limit;
        if (product_q[2]) mul_a = step_q;
      end
      Factor: begin
        mul_valid = issued_q;
        mul_a     = step_q;
        mul_b     = score_constant_i;
      end
      default: begin
        mul_valid = issued_q;
        mul_b     = int4_i ? Inv7 : Inv127;
      end
    endcase
  end

  tt_fmul u_mul (
    .clk_i, .rst_ni, .valid_i(mul_valid), .a_i(mul_a), .b_i(mul_b), .valid_o(mul_done),
    .result_o(mul)
  );
  tt_fadd u_add (
    .clk_i, .rst_ni, .valid_i(mul_done & (state_q == Mean)), .a_i(mul), .b_i(eps_i),
    .valid_o(add_done), .result_o(add)
  );
  tt_fsqrt u_root (
    .clk_i, .rst_ni, .valid_i(add_done), .ready_o(root_ready), .a_i(add), .valid_o(root_done),
    .result_o(root)
  );
  assign div_valid = start_inverse | (issued_q & (state_q == Scale || state_q == Mean));
  tt_fdiv u_div (
    .clk_i, .rst_ni, .valid_i(div_valid), .ready_o(div_ready), .a_i(div_a), .b_i(div_b),
    .valid_o(div_done), .result_o(div)
  );

  logic scale_end, query_done, limits, above_floor;

  assign scale_end   = (state_q == Products || state_q == Scale || state_q == Factor) & step_valid_q
                       & scale_valid_q;
  assign query_done  = state_q == Factor & mul_done;
  // NaN neither limits nor is above anything; 127 / m has no sign and is no NaN.
  assign limits      = mul[30:0] <= 31'h7f80_0000 && (mul[31] || mul[30:0] < scale_q[30:0]);
  assign above_floor = mul <= 32'h7f80_0000 && mul[30:0] > Floor;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q       <= Idle;
      factors_q     <= 1'b0;
      issued_q      <= 1'b0;
      read_q        <= 1'b0;
      step_valid_q  <= 1'b0;
      scale_valid_q <= 1'b0;
      root_valid_q  <= 1'b0;
      issue_q       <= '0;
      result_q      <= '0;
      products_q    <= '0;
      product_q     <= '0;
    end else begin
      factors_q <= (factors_q & ~start_factors) | factors_start_i;
      issued_q  <= start_scale | (state_q == Scale & mul_done & to_queries_i);
      read_q    <= state_q == Factors & ~issue_end;
      // The first two products follow each other, the third waits for the first.
      product_q <= {state_q == Products & mul_done & products_q == 2'd0, product_q[0],
                    state_q == Inverse & root_valid_q & div_done};
      if (first) products_q <= '0;
      else if (state_q == Products) products_q <= products_q + 2'(mul_done);
      if (start_factors) begin
        issue_q  <= '0;
        result_q <= '0;
      end else begin
        if (state_q == Factors && !issue_end) issue_q <= next_factor(issue_q, slots_i);
        if (state_q == Factors && mul_done) result_q <= next_factor(result_q, slots_i);
      end
      if (first) begin
        step_valid_q  <= 1'b0;
        scale_valid_q <= 1'b0;
        root_valid_q  <= 1'b0;
      end else begin
        if (state_q == Scale && mul_done && !to_queries_i) step_valid_q <= 1'b1;
        if (query_done || (mul_done && products_q == 2'd2)) step_valid_q <= 1'b1;
        if (div_done) scale_valid_q <= 1'b1;
        if (start_inverse) root_valid_q <= 1'b1;
      end
      unique case (state_q)
        Idle: begin
          if (start_factors) state_q <= Factors;
          else if (start_scale) state_q <= to_blocks_i ? Mean : Scale;
        end
        Factors:  if (result_end) state_q <= Idle;
        Mean:     if (mul_done) state_q <= Add;
        Add:      if (add_done) state_q <= Root;
        Root:     if (root_done) state_q <= Inverse;
        Inverse:  if (root_valid_q && div_done) state_q <= Products;
        Products: if (scale_end) state_q <= Idle;
        Scale: begin
          if (mul_done && to_queries_i) state_q <= Factor;
          else if (scale_end) state_q <= Idle;
        end
        default: if (scale_end) state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_scale) begin
      value_q <= to_blocks_i || value > Floor ? value : Floor;
      group_q <= group;
      slot_q  <= slot;
      head_q  <= head;
    end
    if (state_q == Scale && mul_done) step_q <= mul;
    if (state_q == Products && mul_done) begin
      if (products_q == 2'd0) step_q <= above_floor ? mul : {1'b0, Floor};
      if (products_q == 2'd2) step_q <= mul;
      if (products_q == 2'd1 && limits) scale_q <= mul;
    end
    if (div_done && !root_valid_q) scale_q <= div;
    if (root_done) root_q <= root;
    if (div_done && root_valid_q) root_q <= div;
    if (state_q == Factors && !issue_end) plane_q <= issue_q[SlotBits];
  end

  // ---- what is kept -----------------------------------------------------------------------------
  tt_vector_scalar_file #(
    .Slots (Slots),
    .Groups(Groups)
  ) u_file (
    .clk_i,
    .scale_write_i   (scale_end),
    .to_blocks_i,
    .group_i         (group_q[GroupBits-1:0]),
    .slot_i          (slot_q[SlotBits-1:0]),
    .scale_i         (scale_q),
    .step_i          (step_q),
    .sum_write_i     (sum_valid_i),
    .sum_slot_i      (sum_slot_i[SlotBits-1:0]),
    .sum_i,
    .sum_read_i      (take),
    .sum_address_i   (slot[SlotBits-1:0]),
    .sum_o           (sum),
    .factor_write_i  (state_q == Factors & mul_done),
    .factor_number_i (result_q[FactorBits-1:0]),
    .factor_i        (mul),
    .step_a_read_i   (state_q == Factors),
    .step_a_address_i(issue_q[SlotBits-1:0]),
    .step_a_read_o   (step_read),
    .step_a_o,
    .read_i,
    .factor_address_i,
    .factor_o,
    .scale_read_i,
    .scale_address_i,
    .scale_o,
    .step_read_i,
    .step_address_i,
    .step_o
  );

  assign factors_busy_o = factors_start_i | factors_q | (state_q == Factors);
  assign scale_done_o   = scale_end;
  assign query_o        = query_done;
  assign query_slot_o   = slot_q;
  assign query_head_o   = head_q;
  assign query_factor_o = mul;
  assign idle_o         = first & ~factors_q & ~waits;

  logic unused;
  assign unused = ^{fifo_ready, group_q, slot_q, sum_slot_i};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!maximum_valid_i || fifo_ready);
      assert (!factors_start_i || (!factors_q && state_q != Factors));
    end
  end
`endif
endmodule

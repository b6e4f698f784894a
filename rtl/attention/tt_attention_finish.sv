/// The end of an item: y = O * ((X * 256) / L) for every query, Lanes elements a cycle.
///
/// The divide of the next query runs beside the products of the present one. A column word of sums
/// is read when the V pass of the next item leaves a cycle, and held. Words of OutLanes elements
/// leave through a FIFO; elements are only started when it has room for their word.
module tt_attention_finish #(
  /// Elements a cycle; divides OutLanes.
  parameter int unsigned Lanes = 4,
  /// Elements of an output word; divides Columns.
  parameter int unsigned OutLanes = 8,
  /// Columns of a column word.
  parameter int unsigned Columns = 32,
  /// Bits of the number of a column word.
  parameter int unsigned ColumnBits = 2,
  /// Most queries of an item.
  parameter int unsigned Queries = 128,
  /// Bits of the number of a query: bank of its item and index.
  localparam int unsigned IndexBits = 1 + $clog2(Queries)
) (
  /// Clock.
  input  logic                            clk_i,
  /// Asynchronous reset, active low.
  input  logic                            rst_ni,
  /// Query heads of a key-value head.
  input  logic [7:0]                      group_i,
  /// Output words of a head.
  input  logic [15:0]                     head_words_i,
  /// A pulse: an item is complete; not before the item before is.
  input  logic                            start_i,
  /// Its first page, for what it says about the item; constant until idle_o.
  input  tt_attention_pkg::page_t         item_i,
  /// A pulse: every sum of the item has been read.
  output logic                            idle_o,
  /// A pulse: the last word of the last item was taken.
  output logic                            done_o,
  /// X of a query is written.
  input  logic                            write_i,
  /// The query.
  input  logic [IndexBits-1:0]            write_index_i,
  /// X, or infinity when X * 256 is.
  input  logic [31:0]                     scale_i,
  /// Query whose sum of e is wanted.
  output logic [IndexBits-1:0]            total_index_o,
  /// Its sum of e, in the same cycle.
  input  logic [47:0]                     total_i,
  /// A divide is wanted.
  output logic                            divide_valid_o,
  /// It is taken.
  input  logic                            divide_ready_i,
  /// X.
  output logic [31:0]                     dividend_o,
  /// L / 256.
  output logic [31:0]                     divisor_o,
  /// The quotient is here.
  input  logic                            quotient_valid_i,
  /// The quotient.
  input  logic [31:0]                     quotient_i,
  /// Sums are wanted.
  output logic                            sums_read_o,
  /// They are read.
  input  logic                            sums_ready_i,
  /// Query and column word.
  output logic [IndexBits+ColumnBits-1:0] sums_address_o,
  /// The sums, 48 bits each, one cycle after.
  input  logic [48*Columns-1:0]           sums_i,
  /// An output word.
  output logic                            att_valid_o,
  /// It is taken.
  input  logic                            att_ready_i,
  /// Its slot.
  output logic [7:0]                      att_slot_o,
  /// Its number in the slot's row.
  output logic [15:0]                     att_word_o,
  /// Its elements, binary32.
  output logic [32*OutLanes-1:0]          att_data_o
);
  localparam int unsigned Parts    = OutLanes / Lanes;    // parts of an output word
  localparam int unsigned Steps    = Columns / Lanes;     // parts of a column word
  localparam int unsigned StepBits = Steps > 1 ? $clog2(Steps) : 1;
  localparam int unsigned WordsMax = Columns * 2 ** ColumnBits / OutLanes;
  localparam int unsigned WordBits = $clog2(WordsMax + 1);
  localparam int unsigned Depth    = 16;
  localparam int unsigned Latency  = tt_float_pkg::FromIntLatency + tt_float_pkg::MulLatency;

  // ---- factors ---------------------------------------------------------------------------------
  logic                 factor_valid, factor_ready, last_query, zero;
  logic [IndexBits-2:0] index;
  logic [31:0]          quotient;

  tt_attention_factors #(.Queries(Queries)) u_factors (
    .clk_i,
    .rst_ni,
    .start_i,
    .queries_i       (item_i.queries),
    .bank_i          (item_i.bank),
    .write_i,
    .write_index_i,
    .scale_i,
    .total_index_o,
    .total_i,
    .divide_valid_o,
    .divide_ready_i,
    .dividend_o,
    .divisor_o,
    .quotient_valid_i,
    .quotient_i,
    .valid_o         (factor_valid),
    .ready_i         (factor_ready),
    .index_o         (index),
    .last_o          (last_query),
    .zero_o          (zero),
    .factor_o        (quotient)
  );

  // ---- elements: parts of Lanes ----------------------------------------------------------------
  logic                       running_q, go, query_end, column_end, word_start, room, taken;
  logic                       held_q, given, given_q, wanted;  // a column word
  logic                       zeros_q, final_q;
  logic [IndexBits-2:0]       query_q;
  logic [15:0]                word_q;  // output word of the head
  logic [7:0]                 part_q;  // part of the output word
  logic [ColumnBits-1:0]      column_q;  // the next to be read
  logic [48*Columns-1:0]      sums_q;
  logic [StepBits-1:0]        step_q, step2_q;
  logic [31:0]                factor2_q;
  logic [$clog2(Depth+1)-1:0] room_q;  // words of the FIFO that nobody has claimed
  logic                       pop;

  assign factor_ready = !running_q || query_end;
  assign taken      = factor_valid && factor_ready;
  assign room       = room_q != '0 || part_q != '0;
  assign go         = running_q && held_q && room;
  assign word_start = go && part_q == '0;
  assign query_end  = go && part_q == 8'(Parts - 1) && word_q + 16'd1 == head_words_i;
  assign column_end = go && step_q == StepBits'(Steps - 1);
  // Not beyond the last column word: the next query's first one follows when it is taken.
  assign wanted     = running_q && (!held_q || (column_end && !query_end));
  assign given      = wanted && sums_ready_i;
  assign pop        = att_valid_o && att_ready_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      held_q    <= 1'b0;
      given_q   <= 1'b0;
      room_q    <= ($clog2(Depth + 1))'(Depth);
    end else begin
      if (taken) running_q <= 1'b1;
      else if (query_end) running_q <= 1'b0;
      if (given) held_q <= 1'b1;
      else if (column_end || query_end) held_q <= 1'b0;
      given_q <= given;
      room_q <= room_q + ($clog2(Depth + 1))'(pop) - ($clog2(Depth + 1))'(word_start);
    end
  end
  always_ff @(posedge clk_i) begin
    if (taken) begin
      query_q   <= index;
      final_q   <= last_query;
      zeros_q   <= zero;
      factor2_q <= quotient;
      word_q    <= '0;
      part_q    <= '0;
      column_q  <= '0;
      step_q    <= '0;
    end else if (go) begin
      part_q <= part_q == 8'(Parts - 1) ? '0 : part_q + 1'b1;
      if (part_q == 8'(Parts - 1)) word_q <= word_q + 1'b1;
      step_q <= step_q == StepBits'(Steps - 1) ? '0 : step_q + 1'b1;
    end
    if (given && !taken) column_q <= column_q + 1'b1;
    if (given_q) sums_q <= sums_i;
    step2_q <= step_q;
  end
  assign sums_read_o    = wanted;
  assign sums_address_o = {item_i.bank, query_q, column_q};

  // ---- lanes -----------------------------------------------------------------------------------
  logic [Latency:0]    valid_q;
  logic [Latency:0]    zeros2_q, last_q;  // of the item: the last part
  logic [31:0]         factor, factor3_q;
  logic [48*Lanes-1:0] sums;
  logic [32*Lanes-1:0] products;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-1:0], go};
  end
  always_ff @(posedge clk_i) begin
    zeros2_q  <= {zeros2_q[Latency-1:0], zeros_q};
    last_q    <= {last_q[Latency-1:0], query_end && final_q};
    factor3_q <= factor2_q;
  end
  tt_delay #(.Width(32), .Cycles(tt_float_pkg::FromIntLatency)) u_factor (
    .clk_i, .data_i(factor3_q), .data_o(factor)
  );

  always_comb begin
    sums = sums_q[48*Lanes-1:0];
    for (int unsigned s = 1; s < Steps; s++) begin
      if (step2_q == StepBits'(s)) sums = sums_q[48*Lanes*s +: 48*Lanes];
    end
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    logic [31:0] real_sum, product;
    logic        real_valid, unused_valid;
    tt_from_int #(.IntBits(48)) u_sum (
      .clk_i,
      .rst_ni,
      .valid_i (valid_q[0]),
      .a_i     (sums[48*l +: 48]),
      .valid_o (real_valid),
      .result_o(real_sum)
    );
    tt_fmul u_product (
      .clk_i,
      .rst_ni,
      .valid_i (real_valid),
      .a_i     (real_sum),
      .b_i     (factor),
      .valid_o (unused_valid),
      .result_o(product)
    );
    assign products[32*l +: 32] = zeros2_q[Latency] ? '0 : product;
    logic unused;
    assign unused = unused_valid;
  end

  // ---- output words ----------------------------------------------------------------------------
  logic                   push, close, last_word, ready, finished_q;
  logic [7:0]             out_part_q, out_slot_q, out_member_q;
  logic [15:0]            out_word_q, base_q, left_q, first_word;
  logic [32*OutLanes-1:0] gather_q, data;

  assign close = out_part_q == 8'(Parts - 1);
  assign push  = valid_q[Latency] && close;
  always_comb begin
    data = gather_q;
    data[32*Lanes*(Parts-1) +: 32*Lanes] = products;
  end
  for (genvar p = 0; p < Parts; p++) begin : gen_part
    always_ff @(posedge clk_i) begin
      if (valid_q[Latency] && out_part_q == 8'(p)) gather_q[32*Lanes*p +: 32*Lanes] <= products;
    end
  end
  assign last_word = left_q == 16'd1;
  always_comb begin
    first_word = '0;
    for (int unsigned i = 0; i < WordBits; i++) begin
      if (head_words_i[i]) first_word = first_word + (16'(item_i.item_head) << i);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      out_part_q <= '0;
      finished_q <= 1'b0;
    end else begin
      if (valid_q[Latency]) out_part_q <= close ? '0 : out_part_q + 1'b1;
      finished_q <= push && last_q[Latency];
    end
  end
  always_ff @(posedge clk_i) begin
    if (start_i) begin
      out_slot_q   <= item_i.slot;
      out_member_q <= '0;
      base_q       <= first_word;
      out_word_q   <= first_word;
      left_q       <= head_words_i;
    end else if (push) begin
      left_q     <= last_word ? head_words_i : left_q - 1'b1;
      out_word_q <= out_word_q + 1'b1;
      if (last_word) begin
        out_member_q <= out_member_q + 8'd1 == group_i ? '0 : out_member_q + 1'b1;
        if (out_member_q + 8'd1 == group_i) begin
          out_word_q <= base_q;
          out_slot_q <= out_slot_q + 1'b1;
        end
      end
    end
  end

  logic att_final;
  tt_fifo #(
    .Width(1 + 8 + 16 + 32 * OutLanes),
    .Depth(Depth)
  ) u_words (
    .clk_i,
    .rst_ni,
    .valid_i(push),
    .ready_o(ready),
    .data_i ({last_q[Latency] && item_i.last_item, out_slot_q, out_word_q, data}),
    .valid_o(att_valid_o),
    .ready_i(att_ready_i),
    .data_o ({att_final, att_slot_o, att_word_o, att_data_o})
  );
  assign done_o = pop && att_final;
  assign idle_o = finished_q;

  logic unused;
  assign unused = ^{item_i, ready};
endmodule

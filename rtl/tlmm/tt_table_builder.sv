/// One lane of table building: from the activations of a slot to the 14 entries of every group.
///
/// The entry of value v is the dot product of the three activations of a group with the triple of
/// balanced ternary v. The lane walks the values on a path on which neighbours differ by one unit
/// in one trit, so an entry is the one before plus or minus one activation. A word is taken every
/// 14 cycles at most; its first entry (value 0) is written in the cycle after, its last 14 cycles
/// after.
///
/// With DspSums four groups share a DSP block, and an entry comes with 512 added, as tt_sum_chain
/// wants it.
module tt_table_builder #(
  /// Groups of three activations.
  parameter int unsigned Groups = 15,
  /// Bits of the tag that goes with the activations.
  parameter int unsigned TagBits = 1,
  /// Entries in DSP blocks, 512 added.
  parameter bit          DspSums = 1'b0
) (
  /// Clock.
  input  logic                 clk_i,
  /// Asynchronous reset, active low: idle.
  input  logic                 rst_ni,
  /// Activations are offered.
  input  logic                 valid_i,
  /// Idle, or at the last entry; depends on registers alone.
  output logic                 ready_o,
  /// Activation c, int8, in bits 8c+7..8c; group g has activations 3g, 3g+1, 3g+2.
  input  logic [24*Groups-1:0] data_i,
  /// Where the tables belong.
  input  logic [TagBits-1:0]   tag_i,
  /// An entry of every group is written in this cycle.
  output logic                 write_o,
  /// The value that the entries belong to, 0..13.
  output logic [3:0]           value_o,
  /// The entry of group g, -384..384 (128..896 with DspSums), in bits 10g+9..10g.
  output logic [10*Groups-1:0] entries_o,
  /// The tag of these tables.
  output logic [TagBits-1:0]   tag_o
);
  localparam int unsigned EntryBits = 10;

  // The entry that a lane is at, and the move to the next one: by which activation, and whether it
  // is subtracted.
  typedef struct packed {
    logic [3:0] value;
    logic [1:0] choice;
    logic       minus;
  } step_t;
  localparam step_t First = {4'd0, 2'd0, 1'b0};
  localparam step_t Last  = {4'd7, 2'd0, 1'b0};

  // The walk: what follows a value.
  function automatic step_t next(input logic [3:0] value);
    unique case (value)
      4'd0:    next = {4'd1, 2'd1, 1'b0};
      4'd1:    next = {4'd4, 2'd0, 1'b1};
      4'd4:    next = {4'd3, 2'd0, 1'b1};
      4'd3:    next = {4'd2, 2'd2, 1'b0};
      4'd2:    next = {4'd11, 2'd0, 1'b0};
      4'd11:   next = {4'd12, 2'd0, 1'b0};
      4'd12:   next = {4'd13, 2'd1, 1'b1};
      4'd13:   next = {4'd10, 2'd0, 1'b1};
      4'd10:   next = {4'd9, 2'd0, 1'b1};
      4'd9:    next = {4'd8, 2'd1, 1'b1};
      4'd8:    next = {4'd5, 2'd0, 1'b0};
      4'd5:    next = {4'd6, 2'd0, 1'b0};
      default: next = Last;
    endcase
  endfunction

  logic                 busy_q;
  step_t                step_q;
  logic [24*Groups-1:0] data_q;
  logic [TagBits-1:0]   tag_q;
  logic                 load;
  logic [EntryBits*Groups-1:0] addends;  // the activations of this step

  assign ready_o = ~busy_q | (step_q.value == Last.value);
  assign load    = valid_i & ready_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      step_q <= First;
    end else if (ready_o) begin
      busy_q <= valid_i;
      step_q <= First;
    end else begin
      step_q <= next(step_q.value);
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      data_q <= data_i;
      tag_q  <= tag_i;
    end
  end

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    logic [7:0] activation;
    // Three activations, two bits of choice and, in the adder, the sign: a LUT6 a bit.
    assign activation = ({8{step_q.choice == 2'd0}} & data_q[24*g +: 8])
                      | ({8{step_q.choice[0]}} & data_q[24*g+8 +: 8])
                      | ({8{step_q.choice[1]}} & data_q[24*g+16 +: 8]);
    assign addends[EntryBits*g +: EntryBits] = {{2{activation[7]}}, activation};
  end

  if (DspSums) begin : gen_dsp
    for (genvar b = 0; b < Groups; b += 4) begin : gen_block
      localparam int unsigned Fields = b + 4 < Groups ? 4 : Groups - b;
      logic [47:0] operand, sum;
      for (genvar f = 0; f < 4; f++) begin : gen_field
        if (f < Fields) begin : gen_group
          assign operand[12*f +: 12] = 12'($signed(addends[EntryBits*(b+f) +: EntryBits]));
          assign entries_o[EntryBits*(b+f) +: EntryBits] = sum[12*f +: EntryBits];
        end else begin : gen_none
          assign operand[12*f +: 12] = '0;
        end
      end
      tt_dsp_accumulate #(.Start(12'd512)) u_entries (
        .clk_i,
        .start_i(load),
        .a_i    (operand),
        .minus_i(step_q.minus),
        .sum_o  (sum)
      );
      logic unused;
      assign unused = ^sum;
    end
  end else begin : gen_lut
    for (genvar g = 0; g < Groups; g++) begin : gen_group
      logic [EntryBits-1:0] addend, entry_q;
      logic                 unused;
      assign addend = addends[EntryBits*g +: EntryBits] ^ {EntryBits{step_q.minus}};
      // The extra low bit carries the one of the two's complement.
      always_ff @(posedge clk_i) begin
        if (load) entry_q <= '0;
        else {entry_q, unused} <= {entry_q, step_q.minus} + {addend, step_q.minus};
      end
      assign entries_o[EntryBits*g +: EntryBits] = entry_q;
    end
  end

  assign write_o = busy_q;
  assign value_o = step_q.value;
  assign tag_o   = tag_q;
endmodule

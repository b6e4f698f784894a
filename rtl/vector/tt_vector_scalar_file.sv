/// What the scalars of the vector unit are kept in: steps of buffer A, factors, sums of squares,
/// scales and steps of groups.
module tt_vector_scalar_file #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Groups of which scales are held.
  parameter int unsigned Groups = 512,
  /// Bits of the number of a slot.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Bits of the number of a factor: plane, slot.
  localparam int unsigned FactorBits = SlotBits + 1,
  /// Bits of the number of a group.
  localparam int unsigned GroupBits = $clog2(Groups)
) (
  /// Clock.
  input  logic                   clk_i,
  /// A scale and a step are written.
  input  logic                   scale_write_i,
  /// The step is that of the slot's row of buffer A.
  input  logic                   to_blocks_i,
  /// Their group.
  input  logic [GroupBits-1:0]   group_i,
  /// Their slot.
  input  logic [SlotBits-1:0]    slot_i,
  /// The scale.
  input  logic [31:0]            scale_i,
  /// The step.
  input  logic [31:0]            step_i,
  /// A sum of squares is written.
  input  logic                   sum_write_i,
  /// Its slot.
  input  logic [SlotBits-1:0]    sum_slot_i,
  /// The sum.
  input  logic [31:0]            sum_i,
  /// A sum of squares is read.
  input  logic                   sum_read_i,
  /// Its slot.
  input  logic [SlotBits-1:0]    sum_address_i,
  /// The sum, one cycle later.
  output logic [31:0]            sum_o,
  /// A factor is written.
  input  logic                   factor_write_i,
  /// Its number.
  input  logic [FactorBits-1:0]  factor_number_i,
  /// The factor.
  input  logic [31:0]            factor_i,
  /// A step of buffer A is read.
  input  logic                   step_a_read_i,
  /// Its slot.
  input  logic [SlotBits-1:0]    step_a_address_i,
  /// The step, one cycle later.
  output logic [31:0]            step_a_read_o,
  /// All steps of buffer A, slot 0 lowest.
  output logic [32*Slots-1:0]    step_a_o,
  /// A factor is read.
  input  logic                   read_i,
  /// The factor's number.
  input  logic [FactorBits-1:0]  factor_address_i,
  /// The factor, one cycle later.
  output logic [31:0]            factor_o,
  /// A scale is read.
  input  logic                   scale_read_i,
  /// Its group.
  input  logic [GroupBits-1:0]   scale_address_i,
  /// The scale, one cycle later.
  output logic [31:0]            scale_o,
  /// A step is read.
  input  logic                   step_read_i,
  /// Its group.
  input  logic [GroupBits-1:0]   step_address_i,
  /// The step, one cycle later.
  output logic [31:0]            step_o
);
  tt_ram #(.Width(32), .Depth(2 ** SlotBits), .Style("distributed")) u_steps_a (
    .clk_i,
    .write_i        (scale_write_i & to_blocks_i),
    .write_address_i(slot_i),
    .write_data_i   (step_i),
    .read_i         (step_a_read_i),
    .read_address_i (step_a_address_i),
    .read_data_o    (step_a_read_o)
  );

  tt_ram #(.Width(32), .Depth(2 ** FactorBits), .Style("distributed")) u_factors (
    .clk_i,
    .write_i        (factor_write_i),
    .write_address_i(factor_number_i),
    .write_data_i   (factor_i),
    .read_i,
    .read_address_i (factor_address_i),
    .read_data_o    (factor_o)
  );

  tt_ram #(.Width(32), .Depth(2 ** SlotBits), .Style("distributed")) u_sums (
    .clk_i,
    .write_i        (sum_write_i),
    .write_address_i(sum_slot_i),
    .write_data_i   (sum_i),
    .read_i         (sum_read_i),
    .read_address_i (sum_address_i),
    .read_data_o    (sum_o)
  );

  tt_ram #(.Width(32), .Depth(Groups)) u_scales (
    .clk_i,
    .write_i        (scale_write_i),
    .write_address_i(group_i),
    .write_data_i   (scale_i),
    .read_i         (scale_read_i),
    .read_address_i (scale_address_i),
    .read_data_o    (scale_o)
  );

  tt_ram #(.Width(32), .Depth(Groups)) u_steps (
    .clk_i,
    .write_i        (scale_write_i),
    .write_address_i(group_i),
    .write_data_i   (step_i),
    .read_i         (step_read_i),
    .read_address_i (step_address_i),
    .read_data_o    (step_o)
  );

  for (genvar s = 0; s < Slots; s++) begin : gen_step_a
    logic [31:0] step_a_q;
    always_ff @(posedge clk_i) begin
      if (scale_write_i && to_blocks_i && slot_i == SlotBits'(s)) step_a_q <= step_i;
    end
    assign step_a_o[32*s+:32] = step_a_q;
  end
endmodule

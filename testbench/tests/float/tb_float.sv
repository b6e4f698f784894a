/// Lanes of every floating point unit side by side, for the test. A lane is 32 bits of a number
/// port, 64 bits of an integer port; integers are sign-extended.
module tb_float #(
  /// Bits of the exponent.
  parameter int unsigned ExpBits = 8,
  /// Bits of the mantissa.
  parameter int unsigned ManBits = 23,
  /// Lanes. Lane i converts integers of 8, 24, 32, 48 bits for i % 4 = 0, 1, 2, 3.
  parameter int unsigned Lanes = 8,
  /// Bits of a number.
  localparam int unsigned Width = 1 + ExpBits + ManBits
) (
  /// Clock.
  input  logic                clk_i,
  /// Reset, active low.
  input  logic                rst_ni,
  /// Operands of the four pipelined units are valid.
  input  logic                valid_i,
  /// tt_fadd, tt_fmul.
  input  logic [32*Lanes-1:0] a_i,
  /// tt_fadd, tt_fmul.
  input  logic [32*Lanes-1:0] b_i,
  /// tt_to_int.
  input  logic [32*Lanes-1:0] c_i,
  /// tt_from_int.
  input  logic [64*Lanes-1:0] n_i,
  /// Bits 0..3: valid_o of tt_fadd, tt_fmul, tt_from_int, tt_to_int; of lane 0, all must agree.
  output logic [3:0]          valid_o,
  /// tt_fadd.
  output logic [32*Lanes-1:0] sum_o,
  /// tt_fmul.
  output logic [32*Lanes-1:0] product_o,
  /// tt_from_int.
  output logic [32*Lanes-1:0] number_o,
  /// tt_to_int.
  output logic [64*Lanes-1:0] integer_o,
  /// tt_fdiv: operands are offered.
  input  logic [Lanes-1:0]    div_valid_i,
  /// tt_fdiv: idle.
  output logic [Lanes-1:0]    div_ready_o,
  /// tt_fdiv.
  input  logic [32*Lanes-1:0] x_i,
  /// tt_fdiv.
  input  logic [32*Lanes-1:0] y_i,
  /// tt_fdiv.
  output logic [Lanes-1:0]    div_valid_o,
  /// tt_fdiv.
  output logic [32*Lanes-1:0] quotient_o,
  /// tt_fsqrt: an operand is offered.
  input  logic [Lanes-1:0]    sqrt_valid_i,
  /// tt_fsqrt: idle.
  output logic [Lanes-1:0]    sqrt_ready_o,
  /// tt_fsqrt.
  input  logic [32*Lanes-1:0] z_i,
  /// tt_fsqrt.
  output logic [Lanes-1:0]    sqrt_valid_o,
  /// tt_fsqrt.
  output logic [32*Lanes-1:0] root_o
);
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    localparam int unsigned IntBits = i % 4 == 0 ? 8 : i % 4 == 1 ? 24 : i % 4 == 2 ? 32 : 48;
    logic [3:0]         valid;
    logic [Width-1:0]   sum, product, number, quotient, root;
    logic [IntBits-1:0] whole;

    tt_fadd #(.ExpBits(ExpBits), .ManBits(ManBits)) u_add (
      .clk_i, .rst_ni, .valid_i, .a_i(a_i[32*i +: Width]), .b_i(b_i[32*i +: Width]),
      .valid_o(valid[0]), .result_o(sum)
    );
    tt_fmul #(.ExpBits(ExpBits), .ManBits(ManBits)) u_mul (
      .clk_i, .rst_ni, .valid_i, .a_i(a_i[32*i +: Width]), .b_i(b_i[32*i +: Width]),
      .valid_o(valid[1]), .result_o(product)
    );
    tt_from_int #(.IntBits(IntBits), .ExpBits(ExpBits), .ManBits(ManBits)) u_from_int (
      .clk_i, .rst_ni, .valid_i, .a_i(n_i[64*i +: IntBits]),
      .valid_o(valid[2]), .result_o(number)
    );
    tt_to_int #(.IntBits(IntBits), .ExpBits(ExpBits), .ManBits(ManBits)) u_to_int (
      .clk_i, .rst_ni, .valid_i, .a_i(c_i[32*i +: Width]),
      .valid_o(valid[3]), .result_o(whole)
    );
    tt_fdiv #(.ExpBits(ExpBits), .ManBits(ManBits)) u_div (
      .clk_i, .rst_ni, .valid_i(div_valid_i[i]), .ready_o(div_ready_o[i]),
      .a_i(x_i[32*i +: Width]), .b_i(y_i[32*i +: Width]),
      .valid_o(div_valid_o[i]), .result_o(quotient)
    );
    tt_fsqrt #(.ExpBits(ExpBits), .ManBits(ManBits)) u_sqrt (
      .clk_i, .rst_ni, .valid_i(sqrt_valid_i[i]), .ready_o(sqrt_ready_o[i]),
      .a_i(z_i[32*i +: Width]), .valid_o(sqrt_valid_o[i]), .result_o(root)
    );

    assign sum_o[32*i +: 32]      = 32'(sum);
    assign product_o[32*i +: 32]  = 32'(product);
    assign number_o[32*i +: 32]   = 32'(number);
    assign quotient_o[32*i +: 32] = 32'(quotient);
    assign root_o[32*i +: 32]     = 32'(root);
    assign integer_o[64*i +: 64]  = {{64 - IntBits{whole[IntBits-1]}}, whole};
    if (i == 0) begin : gen_valid
      assign valid_o = valid;
    end else begin : gen_check
      always_ff @(posedge clk_i) begin
        assert (!rst_ni || valid == valid_o) else $fatal(1, "tb_float: lanes disagree");
      end
    end
  end
endmodule

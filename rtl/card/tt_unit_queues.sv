/// The queues of all units: commands enter in the order of the program and start when their wait
/// mask lets them.
module tt_unit_queues #(
  /// Units.
  parameter int unsigned Units = 6
) (
  /// Clock.
  input  logic                 clk_i,
  /// Asynchronous reset, active low: empty.
  input  logic                 rst_ni,
  /// Unit u has room for a command.
  output logic [Units-1:0]     room_o,
  /// A command enters; only with room.
  input  logic                 push_i,
  /// The unit that it is for.
  input  logic [2:0]           unit_i,
  /// The command.
  input  logic [511:0]         command_i,
  /// Its index in the program.
  input  logic [15:0]          index_i,
  /// To unit u: a command may start.
  output logic [Units-1:0]     cmd_valid_o,
  /// The unit takes it.
  input  logic [Units-1:0]     cmd_ready_i,
  /// The commands, unit 0 lowest.
  output logic [512*Units-1:0] cmd_o,
  /// Unit u has finished its oldest command.
  input  logic [Units-1:0]     done_i,
  /// Unit u has unfinished commands.
  output logic [Units-1:0]     unfinished_o,
  /// Index of each unit's oldest unfinished command, or of its last one.
  output logic [16*Units-1:0]  oldest_o,
  /// A command of unit u waits for other units.
  output logic [Units-1:0]     waiting_o
);
  logic [Units-1:0] running;

  for (genvar u = 0; u < Units; u++) begin : gen_unit
    tt_unit_queue #(
      .Units  (Units),
      .Follows(u == tt_command_pkg::UnitMultiply)
    ) u_queue (
      .clk_i,
      .rst_ni,
      .room_o      (room_o[u]),
      .push_i      (push_i && unit_i == 3'(u)),
      .command_i,
      .index_i,
      .unfinished_i(unfinished_o),
      .oldest_i    (oldest_o),
      .running_i   (running),
      .cmd_valid_o (cmd_valid_o[u]),
      .cmd_ready_i (cmd_ready_i[u]),
      .cmd_o       (cmd_o[512*u +: 512]),
      .done_i      (done_i[u]),
      .unfinished_o(unfinished_o[u]),
      .running_o   (running[u]),
      .oldest_o    (oldest_o[16*u +: 16]),
      .waiting_o   (waiting_o[u])
    );
  end
endmodule

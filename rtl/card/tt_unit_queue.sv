/// The commands of one unit: from dispatch until the unit has finished them.
///
/// A command waits here until every earlier command of the units in its mask is finished. As all
/// commands are dispatched in the order of the program, "earlier" is a comparison with the index of
/// a unit's oldest unfinished command. A multiply that follows starts with the command before it.
module tt_unit_queue #(
  /// Units, bits of a mask.
  parameter int unsigned Units = 6,
  /// Words of 32 bits of a command that are kept; the others read as zero.
  parameter int unsigned Words = 6,
  /// Commands that may wait for their start, at most half of what may be unfinished.
  parameter int unsigned Depth = 4,
  /// The commands are multiplies: they may follow.
  parameter bit          Follows = 1'b0
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: empty.
  input  logic                rst_ni,
  /// There is room for a command.
  output logic                room_o,
  /// A command enters; only with room_o.
  input  logic                push_i,
  /// The command.
  input  logic [511:0]        command_i,
  /// Its index in the program.
  input  logic [15:0]         index_i,
  /// Units with unfinished commands.
  input  logic [Units-1:0]    unfinished_i,
  /// Index of each unit's oldest unfinished command.
  input  logic [16*Units-1:0] oldest_i,
  /// Each unit's oldest unfinished command has started.
  input  logic [Units-1:0]    running_i,
  /// To the unit: a command may start.
  output logic                cmd_valid_o,
  /// The unit takes it.
  input  logic                cmd_ready_i,
  /// The command; holds until taken.
  output logic [511:0]        cmd_o,
  /// The unit has finished its oldest command.
  input  logic                done_i,
  /// There is an unfinished command.
  output logic                unfinished_o,
  /// The oldest one has started.
  output logic                running_o,
  /// Index of the oldest one, or of the last one.
  output logic [15:0]         oldest_o,
  /// A command waits for other units.
  output logic                waiting_o
);
  localparam int unsigned Places  = 2 * Depth;
  localparam int unsigned PtrBits = $clog2(Places);

  // One bit more than the address tells full from empty.
  logic [PtrBits:0]         write_q, start_q, done_q, last;
  logic [PtrBits:0]         waiting, unfinished;
  logic [Units-1:0]         mask, late;
  logic [15:0]              index;
  logic                     start, follows;
  logic [32*Words+16-1:0]   head;
  tt_command_pkg::multiply_t multiply;

  logic [32*Words+16-1:0]   memory  [Places];
  logic [15:0]              indices [Places];

  assign waiting      = write_q - start_q;
  assign unfinished   = write_q - done_q;
  assign room_o       = waiting < (PtrBits + 1)'(Depth) && unfinished < (PtrBits + 1)'(Places);
  assign unfinished_o = write_q != done_q;
  assign running_o    = start_q != done_q;

  always_ff @(posedge clk_i) begin
    if (push_i) memory[write_q[PtrBits-1:0]] <= {index_i, command_i[32*Words-1:0]};
    if (push_i) indices[write_q[PtrBits-1:0]] <= index_i;
  end

  assign head     = memory[start_q[PtrBits-1:0]];
  assign multiply = cmd_o;
  assign index    = head[32*Words +: 16];
  assign mask     = head[8 +: Units];
  assign follows  = Follows & multiply.follows;
  assign last     = unfinished_o ? done_q : done_q - 1'b1;
  assign oldest_o = indices[last[PtrBits-1:0]];

  always_comb begin
    for (int unsigned u = 0; u < Units; u++) begin
      late[u] = mask[u] & unfinished_i[u] & (oldest_i[16*u +: 16] < index)
                & ~(follows & running_i[u] & (oldest_i[16*u +: 16] + 16'd1 == index));
    end
  end

  assign cmd_valid_o = start_q != write_q && late == '0;
  assign waiting_o   = start_q != write_q && late != '0;
  assign cmd_o       = 512'(head[32*Words-1:0]);
  assign start       = cmd_valid_o & cmd_ready_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      start_q <= '0;
      done_q  <= '0;
    end else begin
      write_q <= write_q + (PtrBits + 1)'(push_i);
      start_q <= start_q + (PtrBits + 1)'(start);
      done_q  <= done_q + (PtrBits + 1)'(done_i);
    end
  end

  logic unused;
  assign unused = ^{command_i, last, multiply};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!push_i || room_o) else $error("a command for a full queue");
      assert (!done_i || done_q != start_q || start) else $error("done without a command");
    end
  end
`endif
endmodule

/// Turns the commands of the vector unit into passes.
///
/// ```text
///   embed      rows ─► X; squares of X; finish        square   squares of Y; finish
///   residual   sums, X ─► X, squares; last: finish     gate     sums ─► Y, squares; last: finish
///   project    sums ─► Y; Y ─► Y rotated, maxima of heads; Y ─► int8 ─► Q or KV writer
///   normalise  scales of the slots; X or Y ─► int8 ─► A, Q
/// ```
///
/// With squares goes the largest product of an element and its weight. The next pass begins when the
/// last word of the one before has left the lanes. Finishing a sum of squares goes on beside what
/// follows.
module tt_vector_control #(
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8
) (
  /// Clock.
  input  logic clk_i,
  /// Asynchronous reset, active low: no command.
  input  logic rst_ni,
  /// The model.
  input  tt_card_pkg::model_t model_i,
  /// Slots of the pass.
  input  logic [7:0] slots_i,
  /// A command is offered.
  input  logic cmd_valid_i,
  /// It is taken; depends on registers alone.
  output logic cmd_ready_o,
  /// The command, checked.
  input  logic [511:0] cmd_i,
  /// The command is done, for one cycle.
  output logic done_o,
  /// A command is here.
  output logic busy_o,
  /// Embed: begin to copy rows into X.
  output logic embed_start_o,
  /// Embed: the table.
  output logic [39:0] embed_table_o,
  /// Embed: all rows are in X.
  input  logic embed_done_i,
  /// Work out the factors of sums.
  output logic factors_start_o,
  /// Of two planes.
  output logic factors_two_o,
  /// Scales of the matrices: plane 0, plane 1.
  output logic [1:0][31:0] factors_scale_o,
  /// They are being worked out.
  input  logic factors_busy_i,
  /// A pass begins.
  output logic start_o,
  /// What it does; constant until the next one begins.
  output tt_vector_pkg::pass_t pass_o,
  /// Its way.
  output tt_vector_pkg::walk_t walk_o,
  /// The last word of the pass has left the lanes.
  input  logic idle_i,
  /// Finish the sums of squares.
  output logic finish_o,
  /// 1 / n of the command's rows.
  output logic [31:0] inverse_o,
  /// The tree is at work.
  input  logic tree_busy_i,
  /// Normalise: the largest product of a slot is asked for, its sum is there.
  output logic ask_o,
  /// The slot.
  output logic [7:0] ask_slot_o,
  /// Project: first head.
  output logic [7:0] first_head_o,
  /// Project: the KV rows are values.
  output logic value_o,
  /// Project: area of the layer.
  output logic [39:0] kv_base_o,
  /// Buffer A is written anew.
  output logic normalises_o,
  /// The command's maxima give steps of buffer A.
  output logic to_blocks_o,
  /// They give query factors.
  output logic to_queries_o,
  /// They are of int4.
  output logic int4_o,
  /// All words have gone to the KV writer.
  input  logic cache_empty_i,
  /// The KV writer has written everything.
  input  logic kv_idle_i
);
  typedef enum logic [3:0] {
    Idle, Decode, Embed, Prepare, Launch, Begin, Run, Finish, Cache, Done
  } state_e;

  state_e       state_q;
  logic [511:0] cmd_q;
  logic [1:0]   step_q;
  logic [2:0]   wait_q;

  // ---- fields of the command --------------------------------------------------------------------
  tt_command_pkg::opcode_e    opcode;
  tt_command_pkg::embed_t     embed;
  tt_command_pkg::residual_t  residual;
  tt_command_pkg::gate_t      gate;
  tt_command_pkg::project_t   project;
  tt_command_pkg::normalise_t normalise;

  assign opcode    = tt_command_pkg::opcode_e'(cmd_q[7:0]);
  assign embed     = cmd_q;
  assign residual  = cmd_q;
  assign gate      = cmd_q;
  assign project   = cmd_q;
  assign normalise = cmd_q;

  logic        is_embed, is_residual, is_gate, is_project, is_normalise;
  logic        from_sums, squares, last_step;
  logic [31:0] inverse_q;
  logic [15:0] heads_columns_q, row_columns_q;

  assign is_embed     = opcode == tt_command_pkg::OpEmbed;
  assign is_residual  = opcode == tt_command_pkg::OpResidual;
  assign is_gate      = opcode == tt_command_pkg::OpGate;
  assign is_project   = opcode == tt_command_pkg::OpProject;
  assign is_normalise = opcode == tt_command_pkg::OpNormalise;

  // Columns of the row that the command works on, and 1 / columns.
  logic [1:0] row_kind;  // hidden, heads * head_dim, ffn, heads of the command
  always_comb begin
    if (is_project) row_kind = 2'd3;
    else if (is_gate) row_kind = 2'd2;
    else if (is_normalise) row_kind = normalise.source;
    else row_kind = {1'b0, ~(is_embed | is_residual)};
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle && cmd_valid_i) cmd_q <= cmd_i;
    heads_columns_q <= 16'(project.heads[7:0]) * model_i.head_dim;
    if (state_q == Prepare) begin
      unique case (row_kind)
        2'd0: begin
          row_columns_q <= model_i.hidden;
          inverse_q     <= model_i.inv_hidden;
        end
        2'd1: begin
          row_columns_q <= model_i.query_columns;
          inverse_q     <= model_i.inv_query;
        end
        2'd2: begin
          row_columns_q <= model_i.ffn;
          inverse_q     <= model_i.inv_ffn;
        end
        default: row_columns_q <= heads_columns_q;
      endcase
    end
  end

  // ---- the pass ---------------------------------------------------------------------------------
  tt_vector_pkg::pass_t pass, pass_q;
  tt_vector_pkg::walk_t walk, walk_q;
  logic                 queries;

  assign queries = is_project & project.kind == 2'd0;
  assign squares = ~is_project & ~is_normalise;

  tt_vector_passes #(.Lanes(Lanes)) u_passes (
    .model_i,
    .cmd_i      (cmd_q),
    .step_i     (step_q),
    .columns_i  (row_columns_q),
    .pass_o     (pass),
    .walk_o     (walk),
    .from_sums_o(from_sums),
    .last_o     (last_step)
  );

  // ---- one after the other ----------------------------------------------------------------------
  logic       ready, finish_q;
  logic [7:0] asked_q;

  assign ready = ~(squares & tree_busy_i) & ~(from_sums & factors_busy_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q  <= Idle;
      step_q   <= '0;
      wait_q   <= '0;
      finish_q <= 1'b0;
      asked_q  <= '0;
    end else begin
      finish_q <= 1'b0;
      wait_q   <= state_q == Cache && cache_empty_i ? wait_q + 3'(wait_q != 3'd7) : '0;
      if (state_q == Begin) asked_q <= '0;
      else if (ask_o) asked_q <= asked_q + 8'd1;
      unique case (state_q)
        Idle: if (cmd_valid_i) state_q <= Decode;
        Decode: begin
          step_q  <= '0;
          state_q <= is_embed ? Embed : Prepare;
        end
        Embed:   if (embed_done_i) state_q <= Prepare;
        Prepare: state_q <= Launch;
        Launch:  if (ready) state_q <= Begin;
        Begin:   state_q <= Run;
        Run: if (idle_i) begin
          step_q <= step_q + 2'd1;
          if (!last_step) state_q <= Launch;
          else if (squares) state_q <= (is_residual || is_gate) && !residual.last ? Done : Finish;
          else state_q <= is_project && !queries ? Cache : Done;
        end
        Finish: if (!tree_busy_i) begin
          finish_q <= 1'b1;
          state_q  <= Done;
        end
        // The writer is told of the last word before it is asked.
        Cache: if (wait_q == 3'd7 && kv_idle_i) state_q <= Done;
        default: state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Launch && ready) begin
      pass_q <= pass;
      walk_q <= walk;
    end
  end

  assign cmd_ready_o     = state_q == Idle;
  assign done_o          = state_q == Done;
  assign busy_o          = state_q != Idle || finish_q;
  assign embed_start_o   = state_q == Decode & is_embed;
  assign embed_table_o   = embed.address;
  assign factors_start_o = state_q == Decode & (is_residual | is_gate | is_project);
  assign factors_two_o   = is_gate;
  assign factors_scale_o = {gate.scale_up, is_project ? project.scale : residual.scale};
  assign start_o         = state_q == Begin;
  assign pass_o          = pass_q;
  assign walk_o          = walk_q;
  assign finish_o        = finish_q;
  assign inverse_o       = inverse_q;
  assign ask_o           = state_q == Run && is_normalise && !tree_busy_i && asked_q != slots_i;
  assign ask_slot_o      = asked_q;
  assign first_head_o    = project.first_head[7:0];
  assign value_o         = project.kind == 2'd2;
  assign kv_base_o       = project.kv_base;
  assign to_blocks_o     = is_normalise;
  assign normalises_o    = is_normalise & state_q != Idle;
  assign to_queries_o    = queries;
  assign int4_o          = is_project & ~queries & model_i.kv_int4;

  logic unused;
  assign unused = ^{model_i, embed, residual, gate, project, normalise, walk_q, pass_q};
endmodule

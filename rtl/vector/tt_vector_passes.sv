/// The passes of a command of the vector unit: what each does, and its way.
module tt_vector_passes #(
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8
) (
  /// The model.
  input  tt_card_pkg::model_t model_i,
  /// The command.
  input  logic [511:0] cmd_i,
  /// Which pass of it.
  input  logic [1:0] step_i,
  /// Columns of the row that it works on.
  input  logic [15:0] columns_i,
  /// What the pass does.
  output tt_vector_pkg::pass_t pass_o,
  /// Its way.
  output tt_vector_pkg::walk_t walk_o,
  /// It takes sums.
  output logic from_sums_o,
  /// It is the last one.
  output logic last_o
);
  localparam int unsigned LaneBits = $clog2(Lanes);

  tt_command_pkg::opcode_e    opcode;
  tt_command_pkg::residual_t  residual;
  tt_command_pkg::project_t   project;
  tt_command_pkg::normalise_t normalise;

  assign opcode    = tt_command_pkg::opcode_e'(cmd_i[7:0]);
  assign residual  = cmd_i;
  assign project   = cmd_i;
  assign normalise = cmd_i;

  logic                 is_embed, is_residual, is_gate, is_project, is_normalise;
  logic                 first_step, queries, from_sums;
  logic [15:0]          row_words, first_row, rows;
  tt_vector_pkg::pass_t pass;
  tt_vector_pkg::walk_t walk;

  assign is_embed     = opcode == tt_command_pkg::OpEmbed;
  assign is_residual  = opcode == tt_command_pkg::OpResidual;
  assign is_gate      = opcode == tt_command_pkg::OpGate;
  assign is_project   = opcode == tt_command_pkg::OpProject;
  assign is_normalise = opcode == tt_command_pkg::OpNormalise;
  assign first_step   = step_i == 2'd0;
  assign queries      = is_project & project.kind == 2'd0;
  assign first_row    = residual.first_row[15:0];
  assign rows         = residual.rows[15:0];
  assign row_words    = 16'((17'(columns_i) + 17'(Lanes - 1)) >> LaneBits);
  assign from_sums    = is_residual | is_gate | (is_project & first_step);

  always_comb begin
    pass           = '0;
    pass.source    = from_sums ? tt_vector_pkg::FromSums : tt_vector_pkg::FromY;
    pass.scalar    = from_sums ? tt_vector_pkg::ByFactor : tt_vector_pkg::ByOne;
    pass.sink      = tt_vector_pkg::ToNowhere;
    pass.square    = ~is_project & ~is_normalise;
    pass.weigh     = ~is_project & ~is_normalise;
    pass.bank      = normalise.bank;  // in the same place everywhere
    walk           = '0;
    walk.segment   = is_project ? tt_vector_pkg::ByHead : tt_vector_pkg::ByRow;
    if (from_sums) walk.segment = tt_vector_pkg::ByPanel;
    walk.row_words = row_words;
    walk.columns   = columns_i;
    walk.end_column = columns_i;
    walk.head_words = model_i.head_dim >> LaneBits;
    walk.heads      = project.heads[7:0];
    if (is_residual || is_gate) begin
      walk.first_word = first_row >> LaneBits;
      walk.columns    = rows;
      walk.end_column = first_row + rows;
    end
    if (is_embed || (is_normalise && normalise.source == 2'd0)) pass.source = tt_vector_pkg::FromX;
    if (is_residual) begin
      pass.add_x   = 1'b1;
      pass.write_x = 1'b1;
    end
    if (is_gate) begin
      pass.gate    = 1'b1;
      pass.silu    = model_i.silu;
      pass.write_y = 1'b1;
      walk.pairs   = 1'b1;
    end
    if (is_project) begin
      walk.slot_outer = ~first_step;
      pass.write_y    = first_step;
      if (step_i == 2'd1) begin
        pass.maximum = 1'b1;
        if (project.kind != 2'd2) begin
          pass.scalar  = tt_vector_pkg::ByCosine;
          pass.rotate  = 1'b1;
          pass.write_y = 1'b1;
          walk.pairs   = 1'b1;
        end
      end
      if (step_i == 2'd2) begin
        pass.quantise = 1'b1;
        pass.sink     = queries ? tt_vector_pkg::ToQueries : tt_vector_pkg::ToCache;
      end
    end
    if (is_normalise) begin
      pass.scalar  = tt_vector_pkg::ByWeight;
      pass.quantise   = 1'b1;
      pass.sink       = tt_vector_pkg::ToBlocks;
      pass.queries    = normalise.to_queries;
      walk.segment    = tt_vector_pkg::ByBlocks;
      walk.slot_outer = normalise.to_queries;
    end
  end

  assign pass_o      = pass;
  assign walk_o      = walk;
  assign from_sums_o = from_sums;
  assign last_o      = ~is_project | step_i == 2'd2;

  logic unused;
  assign unused = ^{model_i, residual, project, normalise};
endmodule

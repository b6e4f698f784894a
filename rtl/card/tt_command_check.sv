/// Checks a command against the model, the pass, the buffers of the card and the pending panels.
///
/// Two cycles: sums and products, then the verdict. Whatever passes keeps its unit inside its
/// buffers and lets it finish; addresses of memory are checked by the memory unit.
module tt_command_check
#(
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of three columns of a block.
  parameter int unsigned Groups = 15,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 2048,
  /// Lanes of the vector unit, a power of two.
  parameter int unsigned Lanes = 8,
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64,
  /// Blocks of buffer A.
  parameter int unsigned ActBlocks = 192,
  /// Words of a bank of buffer P.
  parameter int unsigned ParamWords = 1024
) (
  /// Clock.
  input  logic         clk_i,
  /// Asynchronous reset, active low.
  input  logic         rst_ni,
  /// A command is there.
  input  logic         start_i,
  /// The command; holds until done_o.
  input  logic [511:0] command_i,
  /// `begin` has been.
  input  logic         begun_i,
  /// The model.
  input  tt_card_pkg::model_t       model_i,
  /// The input of the head fits the buffer of queries.
  input  logic         head_fits_i,
  /// The pass.
  input  tt_card_pkg::pass_t        pass_i,
  /// Panels whose sums no command has taken.
  input  logic [2:0]   panels_i,
  /// The oldest of them.
  input  tt_card_pkg::panel_t       panel_i,
  /// The command before is a normalise.
  input  logic         normalised_i,
  /// Checked, for one cycle. `begin` and `end` are only checked for their place.
  output logic         done_o,
  /// What is wrong, or ErrNone; with done_o.
  output tt_card_pkg::error_e       code_o,
  /// The address that is wrong, if one is; with done_o.
  output logic [39:0]  address_o,
  /// Its unit; with done_o.
  output logic [2:0]   unit_o,
  /// It takes the oldest panel; with done_o.
  output logic         takes_o,
  /// It promises a panel; with done_o.
  output logic         gives_o,
  /// The panel that it promises; with done_o.
  output tt_card_pkg::panel_t       given_o
);
  localparam int unsigned MostPanels = 4;
  // Finished panels that the multiply unit holds.
  localparam int unsigned HeldPanels = 2;

  // ---- fields ----------------------------------------------------------------------------------
  tt_command_pkg::opcode_e    opcode;
  tt_command_pkg::load_t      load;
  tt_command_pkg::load_rope_t rope;
  tt_command_pkg::residual_t  residual;
  tt_command_pkg::project_t   project;
  tt_command_pkg::normalise_t normalise;
  tt_command_pkg::multiply_t  multiply;
  tt_command_pkg::screen_t    screen;
  tt_command_pkg::check_t     check;

  assign opcode    = tt_command_pkg::opcode_e'(command_i[7:0]);
  assign load      = command_i;
  assign rope      = command_i;
  assign residual  = command_i;
  assign project   = command_i;
  assign normalise = command_i;
  assign multiply  = command_i;
  assign screen    = command_i;
  assign check     = command_i;

  // ---- first cycle: sums and products ----------------------------------------------------------
  logic        first_q, second_q;
  logic [32:0] end_row_q;     // first row, head or token after those of the command
  logic [31:0] panel_rows_q;  // rows of the oldest panel's planes
  logic [31:0] rows_q;        // rows of the command
  logic [15:0] columns_q;     // columns of the normalised vector

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      // The same words in residual, gate, project and screen.
      end_row_q    <= 33'(residual.first_row) + 33'(residual.rows);
      rows_q       <= residual.rows;
      if (opcode == tt_command_pkg::OpProject) begin
        rows_q <= 32'(project.heads[7:0]) * 32'(model_i.head_dim);
      end
      panel_rows_q <= (panel_i.two_planes ? 32'(panel_i.tiles[15:1]) : 32'(panel_i.tiles)) * Rows;
      case (normalise.source)
        2'd0:    columns_q <= model_i.hidden;
        2'd1:    columns_q <= model_i.query_columns;
        default: columns_q <= model_i.ffn;
      endcase
    end
  end

  // ---- second cycle: the verdict ---------------------------------------------------------------
  logic        known, bad_size, bad_place, takes, to_head, two_planes, bad_panel, gives;
  logic [2:0]  unit;
  logic        use_first, use_second, second_state;
  logic [39:0] first, second;
  logic [7:0]  waits;
  tt_card_pkg::error_e      code;
  logic [39:0] address;

  always_comb begin
    known        = 1'b1;
    unit         = 3'(tt_command_pkg::UnitVector);
    bad_size     = 1'b0;
    takes        = 1'b0;
    gives        = 1'b0;
    to_head      = 1'b0;
    two_planes   = 1'b0;
    use_first    = 1'b0;
    use_second   = 1'b0;
    second       = check.crcs;
    second_state = 1'b0;
    case (opcode)
      tt_command_pkg::OpBegin, tt_command_pkg::OpEnd: unit = 3'd7;
      tt_command_pkg::OpLoad: begin
        unit      = 3'(tt_command_pkg::UnitLoad);
        bad_size  = load.columns == '0 || load.columns > ParamWords * Lanes;
        use_first = 1'b1;
      end
      tt_command_pkg::OpLoadRope: begin
        unit      = 3'(tt_command_pkg::UnitLoad);
        bad_size  = pass_i.position >= rope.positions;
        use_first = 1'b1;
      end
      tt_command_pkg::OpEmbed: use_first = 1'b1;
      tt_command_pkg::OpResidual: begin
        takes    = 1'b1;
        bad_size = end_row_q > 33'(model_i.hidden) || (residual.first_row & (Lanes - 1)) != '0;
      end
      tt_command_pkg::OpGate: begin
        takes      = 1'b1;
        two_planes = 1'b1;
        bad_size   = end_row_q > 33'(model_i.ffn) || (residual.first_row & (Lanes - 1)) != '0;
      end
      tt_command_pkg::OpProject: begin
        takes        = 1'b1;
        bad_size     = project.kind == 2'd3
                       || end_row_q > 33'(project.kind == 2'd0 ? model_i.heads : model_i.kv_heads);
        use_second   = project.kind != 2'd0;
        second       = project.kv_base;
        second_state = 1'b1;
      end
      tt_command_pkg::OpSquare: ;
      tt_command_pkg::OpNormalise: begin
        bad_size = normalise.source == 2'd3 || 32'(columns_q) > ActBlocks * 3 * Groups
                   || (normalise.to_queries && (normalise.source != 2'd0 || !head_fits_i));
      end
      tt_command_pkg::OpMultiply: begin
        unit      = 3'(tt_command_pkg::UnitMultiply);
        gives     = 1'b1;
        bad_size  = multiply.tiles == '0 || multiply.tiles > PanelTiles || multiply.blocks == '0
                    || multiply.blocks > ActBlocks
                    || (multiply.two_planes && (multiply.tiles[0] || multiply.to_head));
        use_first = 1'b1;
      end
      tt_command_pkg::OpAttend: begin
        unit      = 3'(tt_command_pkg::UnitAttention);
        use_first = 1'b1;
      end
      tt_command_pkg::OpScreen: begin
        unit       = 3'(tt_command_pkg::UnitHead);
        takes      = 1'b1;
        to_head    = 1'b1;
        bad_size   = end_row_q > 33'(model_i.vocab);
        use_second = 1'b1;
        second     = screen.weights;
      end
      tt_command_pkg::OpScore, tt_command_pkg::OpScoreAll: begin
        unit      = 3'(tt_command_pkg::UnitHead);
        use_first = 1'b1;
        bad_size  = ~head_fits_i;
      end
      tt_command_pkg::OpEmit: unit = 3'(tt_command_pkg::UnitHead);
      tt_command_pkg::OpCheck: begin
        unit       = 3'(tt_command_pkg::UnitCheck);
        bad_size   = check.pages == '0 || check.pages > 2 ** 20;
        use_first  = 1'b1;
        use_second = 1'b1;
      end
      default: known = 1'b0;
    endcase
  end

  assign waits     = command_i[15:8];
  assign first     = load.address;
  assign bad_panel = panels_i == '0 || panel_i.to_head != to_head
                     || panel_i.two_planes != two_planes || rows_q > panel_rows_q
                     || rows_q + Rows <= panel_rows_q || residual.rows == '0;
  assign bad_place = begun_i == (opcode == tt_command_pkg::OpBegin);

  always_comb begin
    code    = tt_card_pkg::ErrNone;
    address = '0;
    if (!known) begin
      code = tt_card_pkg::ErrOpcode;
    end else if (bad_place) begin
      code = begun_i ? tt_card_pkg::ErrBegin : tt_card_pkg::ErrNoBegin;
    end else if (waits[7:6] != '0
                 || (waits[tt_command_pkg::UnitMultiply] && panels_i > 3'(HeldPanels))
                 || (gives && multiply.follows
                     && !(normalised_i && waits[tt_command_pkg::UnitVector]))) begin
      code = tt_card_pkg::ErrWait;
    end else if (bad_size) begin
      code = tt_card_pkg::ErrSize;
    end else if (use_first && ((first & 40'(BeatBytes - 1)) != '0 || command_i[95:72] != '0)) begin
      code    = tt_card_pkg::ErrAddress;
      address = first;
    end else if (use_second && ((second & 40'(BeatBytes - 1)) != '0
                                || (second_state && !second[39]))) begin
      code    = tt_card_pkg::ErrAddress;
      address = second;
    end else if (takes && bad_panel) begin
      code = tt_card_pkg::ErrPanel;
    end else if (gives && panels_i == 3'(MostPanels)) begin
      code = tt_card_pkg::ErrPanels;
    end else if (opcode == tt_command_pkg::OpEnd && panels_i != '0) begin
      code = tt_card_pkg::ErrPanelLeft;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q  <= 1'b0;
      second_q <= 1'b0;
    end else begin
      first_q  <= start_i;
      second_q <= first_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (first_q) begin
      code_o             <= code;
      address_o          <= address;
      unit_o             <= unit;
      takes_o            <= takes;
      gives_o            <= gives;
      given_o.to_head    <= multiply.to_head;
      given_o.two_planes <= multiply.two_planes;
      given_o.tiles      <= multiply.tiles[15:0];
    end
  end

  assign done_o = second_q;

  logic unused;
  assign unused = ^{model_i, pass_i, load, rope, residual, project, normalise, multiply,
                    screen, check};
endmodule

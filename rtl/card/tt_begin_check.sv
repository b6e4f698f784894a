/// Takes the model out of a `begin` command and checks that the card can run it.
///
/// Everything a unit computes an address from is compared with its buffers here, once, so that no
/// later command can leave them. One product a step.
module tt_begin_check
#(
  /// Lanes of the vector unit, a power of two.
  parameter int unsigned Lanes = 8,
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a KV page, a power of two.
  parameter int unsigned PageRows = 16,
  /// Words of buffer X.
  parameter int unsigned ResidualWords = 8192,
  /// Words of buffer Y.
  parameter int unsigned WorkWords = 16384,
  /// Words of buffer Q.
  parameter int unsigned QueryWords = 1024,
  /// Words of a bank of buffer P.
  parameter int unsigned ParamWords = 1024,
  /// Longest head.
  parameter int unsigned HeadDimMax = 128,
  /// Most query heads.
  parameter int unsigned HeadsMax = 32,
  /// The configuration that programs of this card are made for.
  parameter logic [63:0] ConfigHash = 64'd0
) (
  /// Clock.
  input  logic         clk_i,
  /// Asynchronous reset, active low.
  input  logic         rst_ni,
  /// A command is there.
  input  logic         start_i,
  /// The command; holds until done_o.
  input  logic [511:0] command_i,
  /// The pass.
  input  tt_card_pkg::pass_t        pass_i,
  /// Checked, for one cycle.
  output logic         done_o,
  /// What is wrong, or ErrNone; with done_o.
  output tt_card_pkg::error_e       code_o,
  /// The input of the head fits the buffer of queries; constant from done_o on.
  output logic         head_fits_o,
  /// The model; constant from done_o on.
  output tt_card_pkg::model_t       model_o
);
  localparam int unsigned LaneBits  = $clog2(Lanes);
  localparam int unsigned BeatBits  = $clog2(BeatBytes);
  localparam int unsigned PageBits  = $clog2(PageRows);
  localparam int unsigned Columns   = ParamWords * Lanes;  // of the longest norm
  localparam int unsigned StepBytes = (4 * PageRows + BeatBytes - 1) / BeatBytes * BeatBytes;

  typedef enum logic [3:0] {
    Idle, Residual, Work, Query, QueryWork, Heads, Queries, HeadInput, Page, Groups, Finish
  } state_e;

  tt_command_pkg::begin_t      command;
  tt_card_pkg::model_t      model_q;
  state_e      state_q;
  tt_card_pkg::error_e      code_q;
  logic        second_q;  // the product is there
  logic        fits_q;
  logic [8:0]  covered_q;  // query heads of the groups counted so far

  assign command = command_i;

  // ---- the product -----------------------------------------------------------------------------
  logic [23:0] a;
  logic [15:0] b;
  logic [39:0] product_q;
  logic [15:0] hidden_words, ffn_words, query_words, head_words, hidden_beats;

  assign hidden_words = 16'((17'(model_q.hidden) + 17'(Lanes - 1)) >> LaneBits);
  assign ffn_words    = 16'((17'(model_q.ffn) + 17'(Lanes - 1)) >> LaneBits);
  assign query_words  = 16'((17'(model_q.query_columns) + 17'(Lanes - 1)) >> LaneBits);
  assign head_words   = 16'((17'(model_q.head_dim) + 17'(BeatBytes - 1)) >> BeatBits);
  assign hidden_beats = 16'((17'(model_q.hidden) + 17'(BeatBytes - 1)) >> BeatBits);

  always_comb begin
    a = 24'(pass_i.slots);
    b = hidden_words;
    case (state_q)
      Work:      b = ffn_words;
      Query: begin
        a = 24'(model_q.head_dim);
        b = 16'(model_q.heads);
      end
      QueryWork: b = query_words;
      Heads:     b = 16'(model_q.heads);
      Queries: begin
        a = product_q[23:0];
        b = head_words;
      end
      HeadInput: b = hidden_beats;
      Page: begin
        a = model_q.head_bytes[23:0];
        b = 16'(model_q.kv_heads);
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (state_q != Idle && !second_q) product_q <= a * b;
  end

  // ---- checks without a product ----------------------------------------------------------------
  logic [31:0]         row_bytes, row_section, head_bytes;
  tt_card_pkg::error_e plain;

  // Rows of K or V of a head in a page, padded to a beat.
  assign row_bytes   = (32'(command.head_dim) << PageBits) >> (command.kv_bits == 4'd4);
  assign row_section = (row_bytes + 32'(BeatBytes - 1)) & ~32'(BeatBytes - 1);
  assign head_bytes  = 2 * row_section + 32'(2 * StepBytes);

  always_comb begin
    plain = tt_card_pkg::ErrNone;
    if (command.magic != 32'h4242_5454) begin
      plain = tt_card_pkg::ErrMagic;
    end else if (command.version != 16'd2) begin
      plain = tt_card_pkg::ErrVersion;
    end else if (command.config_hash != ConfigHash) begin
      plain = tt_card_pkg::ErrHash;
    end else if (command.hidden == '0 || command.ffn == '0 || command.vocab == '0
                 || command.heads == '0 || command.kv_heads == '0 || command.head_dim == '0
                 || command.pages == '0 || 32'(command.heads) > HeadsMax
                 || 32'(command.head_dim) > HeadDimMax || command.head_dim[3:0] != '0
                 || (32'(command.head_dim) & (2 * Lanes - 1)) != '0
                 || 32'(command.hidden) > Columns
                 || 32'(command.ffn) > Columns
                 || (command.kv_bits != 4'd4 && command.kv_bits != 4'd8)
                 || command.head_bytes != head_bytes) begin
      plain = tt_card_pkg::ErrModel;
    end else if (pass_i.token >= command.vocab
                 || (pass_i.row >> PageBits) >= command.pages
                 || (pass_i.history != '0 && ((pass_i.history - 1) >> PageBits) >= command.pages))
    begin
      plain = tt_card_pkg::ErrSlot;
    end
  end

  // ---- control ---------------------------------------------------------------------------------
  logic bad;

  always_comb begin
    case (state_q)
      Residual:  bad = product_q > 40'(ResidualWords);
      Work:      bad = product_q > 40'(WorkWords);
      Query:     bad = product_q > 40'(Columns < 65535 ? Columns : 65535);
      QueryWork: bad = product_q > 40'(WorkWords);
      Queries:   bad = product_q > 40'(QueryWords);
      Page:      bad = product_q != 40'(model_q.page_bytes);
      default:   bad = 1'b0;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q  <= Idle;
      second_q <= 1'b0;
    end else begin
      second_q <= 1'b0;
      case (state_q)
        Idle:   if (start_i) state_q <= plain == tt_card_pkg::ErrNone ? Residual : Finish;
        Groups: if (covered_q >= 9'(model_q.heads)) state_q <= Finish;
        Finish: state_q <= Idle;
        default: begin
          second_q <= ~second_q;
          if (second_q) begin
            case (state_q)
              Residual:  state_q <= bad ? Finish : Work;
              Work:      state_q <= bad ? Finish : Query;
              Query:     state_q <= bad ? Finish : QueryWork;
              QueryWork: state_q <= bad ? Finish : Heads;
              Heads:     state_q <= Queries;
              Queries:   state_q <= bad ? Finish : HeadInput;
              HeadInput: state_q <= Page;
              default:   state_q <= bad ? Finish : Groups;
            endcase
          end
        end
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle && start_i) begin
      code_q                 <= plain;
      model_q.hidden         <= command.hidden;
      model_q.ffn            <= command.ffn;
      model_q.heads          <= command.heads;
      model_q.kv_heads       <= command.kv_heads;
      model_q.head_dim       <= command.head_dim;
      model_q.vocab          <= command.vocab;
      model_q.kv_int4        <= command.kv_bits == 4'd4;
      model_q.silu           <= command.gate;
      model_q.embed_bf16     <= command.embed_bf16;
      model_q.eps            <= command.eps;
      model_q.inv_hidden     <= command.inv_hidden;
      model_q.inv_query      <= command.inv_query;
      model_q.inv_ffn        <= command.inv_ffn;
      model_q.score_constant <= command.score_constant;
      model_q.pages          <= command.pages;
      model_q.head_bytes     <= command.head_bytes;
      model_q.page_bytes     <= command.page_bytes;
      model_q.group          <= '0;
      covered_q              <= '0;
    end
    if (second_q && bad) code_q <= tt_card_pkg::ErrModel;
    if (second_q && state_q == Query) model_q.query_columns <= product_q[15:0];
    if (second_q && state_q == HeadInput) fits_q <= product_q <= 40'(QueryWords);
    if (state_q == Groups) begin
      if (covered_q < 9'(model_q.heads)) begin
        covered_q     <= covered_q + 9'(model_q.kv_heads);
        model_q.group <= model_q.group + 1'b1;
        // The groups must come out even.
        if (covered_q + 9'(model_q.kv_heads) > 9'(model_q.heads)) code_q <= tt_card_pkg::ErrModel;
      end
    end
  end

  assign done_o      = state_q == Finish;
  assign code_o      = code_q;
  assign head_fits_o = fits_q;
  assign model_o     = model_q;

  logic unused;
  assign unused = ^{command.opcode, command.waits, command.reserved0, pass_i.position,
                    pass_i.logits, pass_i.results, pass_i.commands};
endmodule

/// Walks over the candidates that the screen left and requests their rows, slot by slot.
///
/// A heap is read word by word, the root in place of the half that has no node; places without a
/// key are skipped. Order does not matter: the heap of the scores sorts. Requests run ahead of the
/// beats as far as the reader and the queue of rows have room.
module tt_head_walk #(
  /// Keys of a heap.
  parameter int unsigned Candidates = 256,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Bits of a word number in a heap.
  localparam int unsigned PairBits = $clog2(Candidates) - 1
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: nothing to walk over.
  input  logic                rst_ni,
  /// Starts; only while idle_o is high.
  input  logic                start_i,
  /// Address of row 0; constant.
  input  logic [39:0]         address_i,
  /// Beats of a row; constant.
  input  logic [15:0]         row_beats_i,
  /// Reads a word of the heap; holds until ready.
  output logic                peek_valid_o,
  /// The word is at left_i, right_i in the next cycle.
  input  logic                peek_ready_i,
  /// Word to read.
  output logic [PairBits-1:0] peek_pair_o,
  /// Left half of the word: its low 32 bits, the inverted token, and whether there is a key.
  input  logic [32:0]         left_i,
  /// Right half.
  input  logic [32:0]         right_i,
  /// The root, read with the word.
  input  logic [32:0]         root_i,
  /// A row is requested.
  output logic                start_valid_o,
  /// The request is taken.
  input  logic                start_ready_i,
  /// Its first byte.
  output logic [39:0]         start_address_o,
  /// Its token, to be queued when valid and ready are high.
  output logic [31:0]         start_token_o,
  /// Everything is requested.
  output logic                idle_o
);
  typedef enum logic [1:0] {
    Idle,
    Peek,
    Catch,
    Offer
  } state_e;

  state_e              state_q;
  logic [PairBits-1:0] pair_q;
  logic [1:0]          there_q;  // tokens to offer
  logic [31:0]         left_q, right_q;
  logic                pick, last;

  // Product of token and beats of a row: two stages.
  logic        token_valid_q, product_valid_q, product_free;
  logic [31:0] token_q, product_token_q;
  logic [47:0] product_q;

  assign last         = pair_q == '1;
  assign product_free = ~product_valid_q | start_ready_i;
  assign pick         = state_q == Offer && there_q != '0 && (~token_valid_q | product_free);
  assign peek_valid_o = state_q == Peek;
  assign peek_pair_o  = pair_q;
  assign idle_o       = state_q == Idle && !token_valid_q && !product_valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q         <= Idle;
      pair_q          <= '0;
      there_q         <= '0;
      token_valid_q   <= 1'b0;
      product_valid_q <= 1'b0;
    end else begin
      unique case (state_q)
        Idle: if (start_i) state_q <= Peek;
        Peek: if (peek_ready_i) state_q <= Catch;
        Catch: begin
          there_q <= {pair_q == '0 ? root_i[32] : right_i[32], left_i[32]};
          state_q <= Offer;
        end
        default: begin
          if (pick) there_q <= there_q[0] ? {there_q[1], 1'b0} : 2'b00;
          if (there_q == '0 || (pick && there_q != 2'b11)) begin
            pair_q  <= pair_q + 1'b1;
            state_q <= last ? Idle : Peek;
          end
        end
      endcase
      if (pick) token_valid_q <= 1'b1;
      else if (product_free) token_valid_q <= 1'b0;
      if (product_free) product_valid_q <= token_valid_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Catch) begin
      left_q  <= ~left_i[31:0];
      right_q <= ~(pair_q == '0 ? root_i[31:0] : right_i[31:0]);
    end
    if (pick) token_q <= there_q[0] ? left_q : right_q;
    if (product_free && token_valid_q) begin
      product_token_q <= token_q;
      product_q       <= 48'(token_q) * 48'(row_beats_i);
    end
  end

  localparam int unsigned SizeBits = $clog2(BeatBytes);

  assign start_valid_o   = product_valid_q;
  assign start_token_o   = product_token_q;
  assign start_address_o = address_i + {product_q[39-SizeBits:0], SizeBits'(0)};

  logic unused;
  assign unused = ^{product_q[47:40-SizeBits]};
endmodule

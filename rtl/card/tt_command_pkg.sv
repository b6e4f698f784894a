/// The card's commands: 64 bytes, word 0 in bits 31:0. Written by `cargo xtask generate`.
package tt_command_pkg;
  /// What a command does: bits 7:0 of word 0.
  typedef enum logic [7:0] {
    OpBegin = 8'h01,
    OpEnd = 8'h02,
    OpLoad = 8'h10,
    OpLoadRope = 8'h11,
    OpEmbed = 8'h20,
    OpResidual = 8'h21,
    OpGate = 8'h22,
    OpProject = 8'h23,
    OpSquare = 8'h24,
    OpNormalise = 8'h25,
    OpMultiply = 8'h30,
    OpAttend = 8'h40,
    OpScreen = 8'h50,
    OpScore = 8'h51,
    OpScoreAll = 8'h52,
    OpEmit = 8'h53,
    OpCheck = 8'h60
  } opcode_e;

  /// Bits of the wait mask, and numbers of the units.
  localparam int unsigned UnitLoad = 0;
  localparam int unsigned UnitMultiply = 1;
  localparam int unsigned UnitVector = 2;
  localparam int unsigned UnitAttention = 3;
  localparam int unsigned UnitHead = 4;
  localparam int unsigned UnitCheck = 5;
  /// Units.
  localparam int unsigned Units = 6;

  /// begin: Starts a program and gives the card the model's sizes and constants. First, and once.
  typedef struct packed {
    logic [31:0]   page_bytes;      // Bytes of a KV page of a layer: kv_heads * head_bytes.
    logic [31:0]   head_bytes;      // Bytes of a KV head in a page.
    logic [31:0]   pages;           // Physical KV pages.
    logic [31:0]   score_constant;  // binary32: 256 log2(e) / sqrt(head_dim).
    logic [31:0]   inv_ffn;         // binary32: 1 / ffn.
    logic [31:0]   inv_query;       // binary32: 1 / (heads * head_dim).
    logic [31:0]   inv_hidden;      // binary32: 1 / hidden.
    logic [31:0]   eps;             // binary32: added to the mean square.
    logic [25:0]   reserved0;
    logic          embed_bf16;      // Embeddings are the upper halves of binary32.
    logic          gate;            // Gate: 0 ReLU squared, 1 SiLU.
    logic [3:0]    kv_bits;         // Bits of an element of K and V: 4 or 8.
    logic [31:0]   vocab;           // Tokens.
    logic [15:0]   head_dim;        // Elements of a head.
    logic [7:0]    kv_heads;        // Key-value heads.
    logic [7:0]    heads;           // Query heads.
    logic [15:0]   ffn;             // Elements of the feed-forward block.
    logic [15:0]   hidden;          // Elements of the residual stream.
    logic [63:0]   config_hash;     // Hash of the card's configuration.
    logic [31:0]   magic;           // 0x42425454.
    logic [15:0]   version;         // Version of the commands: 2.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } begin_t;

  /// end: Ends the program: waits for all units, completes the pass, interrupts. Last.
  typedef struct packed {
    logic [495:0]  reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } end_t;

  /// load: Norm weights from memory to a bank of P.
  typedef struct packed {
    logic [383:0]  reserved2;
    logic [31:0]   columns;         // Number of them.
    logic [23:0]   reserved1;
    logic [39:0]   address;         // Address of the binary32 values.
    logic [14:0]   reserved0;
    logic          bank;            // Bank of P.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } load_t;

  /// load_rope: The rotary row of each slot's position from memory to R.
  typedef struct packed {
    logic [383:0]  reserved2;
    logic [31:0]   positions;       // Positions in the table.
    logic [23:0]   reserved1;
    // Address of the table: a row a position, head_dim / 2 cosines, then as many sines, padded to a
    // beat.
    logic [39:0]   address;
    logic [15:0]   reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } load_rope_t;

  /// embed: X of each slot becomes the embedding of its token; starts and finishes the sum of
  /// squares and the largest product of X and the norm's weights.
  typedef struct packed {
    logic [439:0]  reserved2;
    logic [39:0]   address;         // Address of the table: a row a token, padded to a beat.
    logic [11:0]   reserved1;
    logic          bank;            // Bank of P that holds the weights of the norm that follows.
    logic [2:0]    reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } embed_t;

  /// residual: Takes a panel's sums: x += sum * (step * scale); goes on with the sum of squares and
  /// the largest product of X.
  typedef struct packed {
    logic [383:0]  reserved2;
    logic [31:0]   scale;           // binary32: scale of the matrix.
    logic [31:0]   rows;            // Rows of the panel.
    logic [31:0]   first_row;       // First row of the panel; row 0 starts both.
    logic [11:0]   reserved1;
    logic          bank;            // Bank of P that holds the weights of the norm that follows.
    logic [1:0]    reserved0;
    logic          last;            // Finishes the sum of squares.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } residual_t;

  /// gate: Takes a panel of two planes, gate and up: Y becomes the gated row; goes on with the sum
  /// of squares and the largest product of Y.
  typedef struct packed {
    logic [351:0]  reserved2;
    logic [31:0]   scale_up;        // binary32: scale of up's matrix.
    logic [31:0]   scale_gate;      // binary32: scale of the gate's matrix.
    logic [31:0]   rows;            // Rows of each plane.
    logic [31:0]   first_row;       // First row of each plane; row 0 starts both.
    logic [11:0]   reserved1;
    logic          bank;            // Bank of P that holds the weights of the norm that follows.
    logic [1:0]    reserved0;
    logic          last;            // Finishes the sum of squares.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } gate_t;

  /// project: Takes a panel's sums, whole heads: rotates Q and K, quantises each head, writes Q to
  /// the query buffer and K and V to the cache.
  typedef struct packed {
    logic [343:0]  reserved1;
    logic [39:0]   kv_base;         // Address of the layer's KV area.
    logic [31:0]   scale;           // binary32: scale of the matrix.
    logic [31:0]   heads;           // Heads of the panel.
    logic [31:0]   first_head;      // First head of the panel.
    logic [13:0]   reserved0;
    logic [1:0]    kind;            // 0 Q, 1 K, 2 V.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } project_t;

  /// square: Sum of squares and largest product of Y over heads * head_dim columns.
  typedef struct packed {
    logic [491:0]  reserved1;
    logic          bank;            // Bank of P that holds the weights of the norm that follows.
    logic [2:0]    reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } square_t;

  /// normalise: Norm and quantise, from the last sum of squares and the largest product since row
  /// 0: int8 to A, step.
  typedef struct packed {
    logic [491:0]  reserved0;
    logic          bank;            // Bank of P that holds the weights.
    logic          to_queries;      // Also to Q, as the head's input; only with source 0.
    logic [1:0]    source;          // 0 X (hidden), 1 Y (heads * head_dim), 2 Y (ffn).
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } normalise_t;

  /// multiply: Multiplies a panel by A of every slot; the sums go to the consumer that follows in
  /// the program.
  typedef struct packed {
    logic [351:0]  reserved2;
    logic [31:0]   blocks;          // Blocks of columns.
    logic [31:0]   tiles;           // Tiles of the panel, both planes together.
    logic [23:0]   reserved1;
    logic [39:0]   address;         // Address of the panel.
    logic [12:0]   reserved0;
    // The command before is the normalise of its input: starts with it, and reads each block of A
    // when all slots have it. Its mask names the vector unit.
    logic          follows;
    logic          to_head;         // 0: the sums go to the vector unit. 1: to the head.
    logic          two_planes;      // Tiles alternate between two matrices.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } multiply_t;

  /// attend: Attention of every slot and head over its sequence's pages; the result goes to Y.
  typedef struct packed {
    logic [439:0]  reserved1;
    logic [39:0]   kv_base;         // Address of the layer's KV area.
    logic [15:0]   reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } attend_t;

  /// screen: Takes a panel's sums: each slot keeps the best 256 rows by sum * row weight.
  typedef struct packed {
    logic [375:0]  reserved1;
    logic [39:0]   weights;         // Address of the rows' 16-bit weights.
    logic [31:0]   rows;            // Rows of the panel.
    logic [31:0]   first_token;     // Token of the panel's first row.
    logic [14:0]   reserved0;
    logic          first;           // Forgets the rows of before.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } screen_t;

  /// score: Exact logits of each slot's candidates, ranked.
  typedef struct packed {
    logic [439:0]  reserved1;
    logic [39:0]   address;         // Address of the head rows.
    logic [15:0]   reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } score_t;

  /// score_all: Exact logits of every row; the best 256 a slot, ranked.
  typedef struct packed {
    logic [439:0]  reserved1;
    logic [39:0]   address;         // Address of the head rows.
    logic [14:0]   reserved0;
    logic          logits;          // Write every logit to the logits address of the descriptor.
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } score_all_t;

  /// emit: Writes the ranked candidates of the slots that want them to the results address.
  typedef struct packed {
    logic [495:0]  reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } emit_t;

  /// check: Compares the CRC-32C of pages of 4,096 bytes with a table.
  typedef struct packed {
    logic [343:0]  reserved2;
    logic [39:0]   crcs;            // Address of the table of CRC values, four bytes each.
    logic [31:0]   pages;           // Pages.
    logic [23:0]   reserved1;
    logic [39:0]   address;         // Address of the first page.
    logic [15:0]   reserved0;
    logic [7:0]    waits;
    logic [7:0]    opcode;
  } check_t;

endpackage

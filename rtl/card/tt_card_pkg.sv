/// Types that the units of the card share.
package tt_card_pkg;
  /// The model of the running program, from its `begin` command; constant during a pass.
  typedef struct packed {
    logic [31:0] page_bytes;      // bytes of a KV page of a layer
    logic [31:0] head_bytes;      // bytes of a KV head in a page
    logic [31:0] pages;           // physical KV pages
    logic [31:0] score_constant;  // binary32: 256 log2(e) / sqrt(head_dim)
    logic [31:0] inv_ffn;         // binary32: 1 / ffn
    logic [31:0] inv_query;       // binary32: 1 / (heads * head_dim)
    logic [31:0] inv_hidden;      // binary32: 1 / hidden
    logic [31:0] eps;             // binary32: added to the mean square
    logic        embed_bf16;      // embeddings are the upper halves of binary32
    logic        silu;            // gate: SiLU instead of ReLU squared
    logic        kv_int4;         // K and V: int4 instead of int8
    logic [31:0] vocab;           // tokens
    logic [15:0] query_columns;   // heads * head_dim
    logic [15:0] head_dim;        // elements of a head
    logic [7:0]  kv_heads;        // key-value heads
    logic [7:0]  group;           // query heads of a key-value head
    logic [7:0]  heads;           // query heads
    logic [15:0] ffn;             // elements of the feed-forward block
    logic [15:0] hidden;          // elements of the residual stream
  } model_t;

  /// Bits of model_t.
  localparam int unsigned ModelBits = 379;

  /// A slot of the pass; constant during a pass.
  typedef struct packed {
    logic        head;        // wants candidates
    logic [31:0] page;        // physical KV page of `row`
    logic [39:0] page_table;  // address of the sequence's page table
    logic [31:0] mask;        // bit i: sees cache row history + i
    logic [31:0] history;     // sees every cache row below
    logic [31:0] row;         // cache row that it writes
    logic [31:0] position;    // rotary position
    logic [31:0] token;       // token
  } slot_t;

  /// Bits of slot_t.
  localparam int unsigned SlotBits = 233;

  /// The regions of the card's memory, as the registers have them.
  typedef struct packed {
    logic [63:0] state_bytes;
    logic [63:0] state_base;
    logic [63:0] image_bytes;
    logic [63:0] image_base;
  } regions_t;

  /// Why a pass stopped: the values of register ERROR_CODE. tt_card_regs.rdl explains them, and
  /// scripts/registers.py compares.
  typedef enum logic [7:0] {
    ErrNone          = 8'h00,
    ErrPassMagic     = 8'h01,
    ErrPassSlots     = 8'h02,
    ErrPassAddress   = 8'h03,
    ErrPassProgram   = 8'h04,
    ErrPassSlot      = 8'h05,
    ErrOpcode        = 8'h10,
    ErrNoBegin       = 8'h11,
    ErrBegin         = 8'h12,
    ErrVersion       = 8'h13,
    ErrMagic         = 8'h14,
    ErrHash          = 8'h15,
    ErrModel         = 8'h16,
    ErrSize          = 8'h17,
    ErrAddress       = 8'h18,
    ErrPanel         = 8'h19,
    ErrPanels        = 8'h1a,
    ErrPanelLeft     = 8'h1b,
    ErrWait          = 8'h1c,
    ErrNoEnd         = 8'h1d,
    ErrAfterEnd      = 8'h1e,
    ErrSlot          = 8'h1f,
    ErrRead          = 8'h21,
    ErrWrite         = 8'h22,
    ErrShape         = 8'h23,
    ErrReadResponse  = 8'h24,
    ErrWriteResponse = 8'h25,
    ErrPage          = 8'h30,
    ErrChecksum      = 8'h32,
    ErrTimeout       = 8'h40,
    ErrAborted       = 8'h41
  } error_e;

  /// What the sequencer checks the commands of a pass against, from descriptor and slot records.
  typedef struct packed {
    logic [31:0] history;   // longest history of a slot
    logic [31:0] row;       // highest row that a slot writes
    logic [31:0] position;  // highest position
    logic [31:0] token;     // highest token
    logic [39:0] logits;    // address of the logits
    logic [39:0] results;   // address of the results
    logic [15:0] commands;  // commands of the program
    logic [7:0]  slots;     // slots of the pass
  } pass_t;

  /// A panel whose sums no command has taken yet.
  typedef struct packed {
    logic        to_head;     // the sums go to the head
    logic        two_planes;  // two planes of rows, alternating
    logic [15:0] tiles;       // tiles of the panel
  } panel_t;
endpackage

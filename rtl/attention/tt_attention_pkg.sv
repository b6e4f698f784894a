/// Types and latencies of the attention unit.
package tt_attention_pkg;
  /// What follows from the model, registered when a command starts.
  typedef struct packed {
    logic [15:0] row_beats;    // beats of the K rows, or the V rows, of a page
    logic [15:0] last_bytes;   // bytes of the last cut of a row, or of a pair
    logic [15:0] slot_words;   // words of buffer Q of a slot
    logic [15:0] group_words;  // words of buffer Q of the query heads of a key-value head
    logic [15:0] head_words;   // output words of a head
    logic [7:0]  words;        // row words of a row: BeatBytes elements each
    logic [7:0]  columns;      // column words of a row: BeatBytes / 2 elements each
    logic        int4;         // two elements a byte
    logic        pair;         // a beat has two rows of one word
    logic        wide;         // a beat has at least both words of an int4 row
    logic        half;         // a row of two words is a beat and a half
  } shape_t;

  /// A page that is streamed once, in the order of the stream.
  ///
  /// keys alone: K pass, scores are made and go to maxima and, with store, to the store.
  /// values alone: V pass with scores from the store. Both without store: V pass, scores are made
  /// again. Both with store: K pass of an item beside the V pass of the one before; each score that
  /// is made takes the place in the store of one that was read.
  typedef struct packed {
    logic        keys;       // K rows and steps are in the stream
    logic        values;     // V rows are in the stream
    logic        store;      // the page's scores are in the store
    logic        first;      // first page of its pass
    logic        last;       // last page of its pass
    logic        last_item;  // values: of the last item of the command
    logic        bank;       // values: where the sums of the item are
    logic [31:0] row;        // first cache row
    logic [15:0] query;      // word of buffer Q where the first query starts
    logic [7:0]  queries;    // queries of the item
    logic [7:0]  slot;       // slot of the first query
    logic [7:0]  head;       // keys: query head of the first query
    logic [7:0]  item_head;  // values: query head of the first query
  } page_t;

  /// A query and a page, on its way through the pipeline.
  typedef struct packed {
    logic       keys;
    logic       values;
    logic       store;
    logic       first;          // of the first page of the pass
    logic       last;           // of the last page of the pass
    logic       close;          // last query of the page
    logic       bank;           // values: where the sums of the item are
    logic [2:0] keys_buffer;    // tile of K
    logic [2:0] values_buffer;  // tile of V
    logic [7:0] query;          // index of the query in the item
    logic [7:0] slot;           // its slot
    logic [7:0] head;           // its head
  } query_t;

  /// Bits of page_t and query_t.
  localparam int unsigned PageBits  = 87;
  localparam int unsigned QueryBits = 37;

  /// Tiles of K, and of V, that are held at once.
  localparam int unsigned Buffers    = 8;
  localparam int unsigned BufferBits = 3;

  /// Multipliers of a cascade of the dot array.
  localparam int unsigned DotChain = 8;

  /// Cycles from the operands of the dot array to its dots.
  localparam int unsigned DotLatency = DotChain + 5;

  /// A score that is not visible; no score has this value.
  localparam logic [23:0] Invisible = 24'h800000;
endpackage

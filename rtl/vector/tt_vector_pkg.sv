/// Types and latencies inside the vector unit.
///
/// A word of Lanes elements enters the lanes in stage 0; stage s is s cycles later. Every pass over
/// the data takes the same way but for the gate, whose elements meet the tap twice: as product and
/// as result.
package tt_vector_pkg;
  /// Latencies of tt_float_pkg, which tt_vector compares: Yosys reads no package in a package.
  localparam int unsigned AddLatency = 4;
  localparam int unsigned MulLatency = 4;
  localparam int unsigned FromIntLatency = 2;
  localparam int unsigned ToIntLatency = 2;

  /// The first product starts and the first operand of the rotation is there.
  localparam int unsigned StageProduct = 4;
  /// The first product is there.
  localparam int unsigned StageScaled = StageProduct + MulLatency;
  /// Sum and second product are there.
  localparam int unsigned StageSummed = StageScaled + 1 + AddLatency;
  /// Cycles of tt_sigmoid.
  localparam int unsigned SigmoidLatency = ToIntLatency + 2 + FromIntLatency + 1;
  /// Gate: the operands of the second product are there.
  localparam int unsigned StageGate = StageScaled + SigmoidLatency;
  /// Gate: the second product is there.
  localparam int unsigned StageGated = StageGate + 1 + MulLatency;
  /// Gate: the third product is there, counted from the second word of the pair.
  localparam int unsigned StageUp = StageGated + MulLatency;
  /// Stages in front of the tap.
  localparam int unsigned Stages = StageUp + 1;
  /// After the tap: the third product or square is there.
  localparam int unsigned PostSquare = MulLatency;
  /// After the tap: the integer is there.
  localparam int unsigned PostInteger = PostSquare + ToIntLatency;
  /// After the tap: the partial sum is there.
  localparam int unsigned PostSum = PostSquare + 1 + AddLatency;
  /// After the tap: the weighed element is there.
  localparam int unsigned PostWeighed = 1 + MulLatency;
  /// Stages after the tap until nothing of a word is left.
  localparam int unsigned PostStages = PostSum + 3;

  /// Where the elements of a pass come from.
  typedef enum logic [1:0] {
    FromSums = 2'd0,
    FromX    = 2'd1,
    FromY    = 2'd2
  } source_e;

  /// What the first product multiplies by.
  typedef enum logic [1:0] {
    ByFactor = 2'd0,  // real value of one of a sum: step * scale
    ByWeight = 2'd1,  // the parameters
    ByOne    = 2'd2,
    ByCosine = 2'd3
  } scalar_e;

  /// Where the integers of a pass go.
  typedef enum logic [1:0] {
    ToNowhere = 2'd0,
    ToBlocks  = 2'd1,  // buffer A, and Q if queries is set
    ToQueries = 2'd2,  // buffer Q
    ToCache   = 2'd3   // KV writer
  } sink_e;

  /// What a pass does with every word; constant while words are on their way.
  typedef struct packed {
    source_e source;
    scalar_e scalar;
    sink_e   sink;
    logic    gate;      // two planes: Y = gate
    logic    silu;      // the gate is SiLU
    logic    rotate;    // RoPE
    logic    add_x;     // residual
    logic    weigh;     // largest product by the parameters, of each slot
    logic    bank;      // of the parameters
    logic    write_x;
    logic    write_y;
    logic    square;    // sum of squares
    logic    maximum;   // largest magnitude of each head
    logic    quantise;  // third product: by the scale of the group, to int8
    logic    queries;   // words of blocks to buffer Q as well
  } pass_t;

  /// How rows are cut into segments.
  typedef enum logic [1:0] {
    ByRow    = 2'd0,  // a row
    ByHead   = 2'd1,  // a head
    ByPanel  = 2'd2,  // a chunk of sums
    ByBlocks = 2'd3   // a chunk of blocks of buffer A
  } segment_e;

  /// The way of a pass through its data.
  typedef struct packed {
    segment_e    segment;
    logic        slot_outer;  // all segments of a slot, then the next slot
    logic        pairs;       // two words a step: planes of sums, halves of heads
    logic [15:0] row_words;   // words from a slot's row to the next one's
    logic [15:0] first_word;  // word of the row that the pass begins with
    logic [15:0] end_column;  // columns from here on do not count
    logic [15:0] columns;     // columns of the pass
    logic [15:0] head_words;  // words of a head
    logic [7:0]  heads;       // heads of a slot
  } walk_t;

  /// What goes along with a word.
  typedef struct packed {
    logic [7:0]  slot;
    logic [7:0]  head;
    logic [15:0] group;    // of maximum and scale
    logic [15:0] word;     // of the row
    logic [15:0] address;  // in buffer X or Y
    logic [15:0] side;     // word of the rotary buffer, or first block of the segment
    logic        second;   // of a pair
    logic        first;    // of the segment
    logic        begins;   // a row or head
    logic        ends;     // a row or head
    logic        partial;  // only the lanes of the tail count
    logic        beyond;   // no lane counts
  } word_t;

  /// Bits of word_t.
  localparam int unsigned WordBits = 86;
  /// The bit of word_t that is `second`: Yosys does not read members in arrays.
  localparam int unsigned SecondBit = 5;
endpackage

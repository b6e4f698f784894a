/// Types that the modules of the engine share.
package tt_pkg;
  /// The shape of a job; every field is at least 1.
  typedef struct packed {
    logic [15:0] tiles;   // tiles of the panel
    logic [15:0] blocks;  // blocks of columns
    logic [7:0]  slots;   // slots that have activations and results
  } job_t;

  /// Bits of job_t.
  localparam int unsigned JobBits = 40;

  /// How products are made: by lookup in tables, or by selecting activations.
  localparam int unsigned EngineTable  = 0;
  /// By selecting activations.
  localparam int unsigned EngineSelect = 1;

  /// Why a cycle consumed no beat; at most one bit is set.
  typedef struct packed {
    logic order;    // the partial sum of the beat is still on its way
    logic results;  // both banks of partial sums wait for the drain
    logic drain;    // the drain took the cycle
    logic tables;   // a beat waits for its tables
    logic memory;   // the tables wait for a beat
  } lost_t;
endpackage

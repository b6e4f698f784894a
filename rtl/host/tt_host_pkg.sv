/// Types that the modules of the host interface share.
package tt_host_pkg;
  /// What an entry does.
  localparam logic [7:0] OpNop      = 8'd1;
  localparam logic [7:0] OpToCard   = 8'd2;
  localparam logic [7:0] OpFromCard = 8'd3;
  localparam logic [7:0] OpPass     = 8'd4;

  /// The fields of a submission entry that count, as they lie in its first 32 bytes.
  typedef struct packed {
    logic [31:0] crc;        // expected CRC-32C
    logic [31:0] bytes;      // of a copy
    logic [63:0] card;       // address in card memory
    logic [63:0] host;       // address in host memory
    logic [31:0] tag;        // the completion has it
    logic [15:0] ignored;
    logic [5:0]  no_flags;
    logic        check;      // compare the CRC-32C
    logic        irq;        // ask for vector 0 after the completion
    logic [7:0]  opcode;
  } entry_t;

  /// Bits of entry_t.
  localparam int unsigned EntryBits = 256;

  /// The registers that say where the rings are; they hold while an entry is worked on.
  typedef struct packed {
    logic [7:0]  bits;      // both rings have 2 ** bits entries
    logic [63:0] complete;  // address of the completion ring
    logic [63:0] submit;    // address of the submission ring
  } rings_t;
endpackage

/// Configuration of the card sim-small. Written by `cargo xtask generate`.
package tt_config_pkg;
  /// Engines.
  localparam int unsigned Engines = 1;
  /// How products are made: 0 by table lookup, 1 by selecting activations.
  localparam int unsigned Engine = 0;
  /// What the engine adds up in DSP blocks: 1 tables and trees, 2 all.
  localparam int unsigned DspSums = 0;
  /// Tokens of a pass.
  localparam int unsigned Slots = 4;
  /// Rows of a tile.
  localparam int unsigned Rows = 5;
  /// Groups of three columns of a block.
  localparam int unsigned Groups = 5;
  /// AXI memory ports.
  localparam int unsigned Ports = 1;
  /// Bytes of a port.
  localparam int unsigned PortBytes = 16;
  /// Tiles of the largest panel.
  localparam int unsigned PanelTiles = 512;
  /// Vector lanes.
  localparam int unsigned Lanes = 4;
  /// Positions of a KV page.
  localparam int unsigned PageRows = 8;
  /// Scores a cycle in attention.
  localparam int unsigned ScoreLanes = 1;
  /// Tiles of PageRows scores held on chip before spilling.
  localparam int unsigned ScoreWords = 256;
  /// Words of Lanes binary32 of buffer X.
  localparam int unsigned ResidualWords = 1024;
  /// Words of Lanes binary32 of buffer Y.
  localparam int unsigned WorkWords = 2048;
  /// Blocks of buffer A, a word a block and slot.
  localparam int unsigned ActBlocks = 128;
  /// Words of BeatBytes int8 of buffer Q.
  localparam int unsigned QueryWords = 512;
  /// Words of Lanes binary32 of a bank of buffer P.
  localparam int unsigned ParamWords = 512;
  /// Elements of the largest head.
  localparam int unsigned HeadDimMax = 64;
  /// Query heads a slot.
  localparam int unsigned HeadsMax = 8;
  /// Candidates a slot.
  localparam int unsigned Candidates = 256;
  /// Bytes of a beat of all ports.
  localparam int unsigned BeatBytes = 16;
  /// Columns of a block.
  localparam int unsigned BlockColumns = 15;
  /// Rows of a chunk of sums: lcm(Rows, Lanes).
  localparam int unsigned ChunkRows = 20;
  /// Bits of a sum.
  localparam int unsigned AccBits = 24;
  /// Hash of the configuration; the images made for this card carry it.
  localparam logic [63:0] ConfigHash = 64'h7b2ea504_669aa1ce;
endpackage

/// Configuration of the card alveo. Written by `cargo xtask generate`.
package tt_config_pkg;
  /// Engines.
  localparam int unsigned Engines = 2;
  /// How products are made: 0 by table lookup, 1 by selecting activations.
  localparam int unsigned Engine = 0;
  /// What the engine adds up in DSP blocks: 1 tables and trees, 2 all.
  localparam int unsigned DspSums = 0;
  /// Tokens of a pass.
  localparam int unsigned Slots = 16;
  /// Rows of a tile.
  localparam int unsigned Rows = 14;
  /// Groups of three columns of a block.
  localparam int unsigned Groups = 15;
  /// AXI memory ports.
  localparam int unsigned Ports = 4;
  /// Bytes of a port.
  localparam int unsigned PortBytes = 32;
  /// Tiles of the largest panel.
  localparam int unsigned PanelTiles = 2048;
  /// Vector lanes.
  localparam int unsigned Lanes = 16;
  /// Positions of a KV page.
  localparam int unsigned PageRows = 16;
  /// Scores a cycle in attention.
  localparam int unsigned ScoreLanes = 4;
  /// Tiles of PageRows scores held on chip before spilling.
  localparam int unsigned ScoreWords = 4096;
  /// Words of Lanes binary32 of buffer X.
  localparam int unsigned ResidualWords = 4096;
  /// Words of Lanes binary32 of buffer Y.
  localparam int unsigned WorkWords = 16384;
  /// Blocks of buffer A, a word a block and slot.
  localparam int unsigned ActBlocks = 320;
  /// Words of BeatBytes int8 of buffer Q.
  localparam int unsigned QueryWords = 1024;
  /// Words of Lanes binary32 of a bank of buffer P.
  localparam int unsigned ParamWords = 1024;
  /// Elements of the largest head.
  localparam int unsigned HeadDimMax = 256;
  /// Query heads a slot.
  localparam int unsigned HeadsMax = 64;
  /// Candidates a slot.
  localparam int unsigned Candidates = 256;
  /// Bytes of a beat of all ports.
  localparam int unsigned BeatBytes = 128;
  /// Columns of a block.
  localparam int unsigned BlockColumns = 45;
  /// Rows of a chunk of sums: lcm(Rows, Lanes).
  localparam int unsigned ChunkRows = 112;
  /// Bits of a sum.
  localparam int unsigned AccBits = 24;
  /// Hash of the configuration; the images made for this card carry it.
  localparam logic [63:0] ConfigHash = 64'h93389616_cd900d82;
endpackage

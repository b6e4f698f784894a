/// The largest magnitude of each group of words; NaN counts as zero.
module tt_vector_maximum #(
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic                rst_ni,
  /// A word comes; the words of a group come one after the other.
  input  logic                valid_i,
  /// Its elements, binary32.
  input  logic [32*Lanes-1:0] data_i,
  /// The word and its group.
  input  tt_vector_pkg::word_t word_i,
  /// The maximum of a group, for one cycle.
  output logic                valid_o,
  /// It, without sign.
  output logic [30:0]         maximum_o,
  /// The group.
  output logic [15:0]         group_o,
  /// The slot.
  output logic [7:0]          slot_o,
  /// The head.
  output logic [7:0]          head_o
);
  localparam int unsigned Levels  = $clog2(Lanes) + 1;  // with the magnitudes
  localparam int unsigned TagBits = 34;

  // Level k holds Lanes >> k magnitudes; the tag of the word goes along.
  logic [Levels-1:0]               valid_q;
  logic [Levels-1:0][TagBits-1:0]  tag_q;
  logic [Levels-1:0][Lanes*31-1:0] level_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= (Levels)'({valid_q, valid_i});
  end

  always_ff @(posedge clk_i) begin
    if (valid_i || valid_q != '0) begin
      tag_q <= (Levels*TagBits)'({tag_q, {word_i.begins, word_i.ends, word_i.group, word_i.slot,
                                          word_i.head}});
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      for (int unsigned l = 0; l < Lanes; l++) begin
        level_q[0][31*l+:31] <= data_i[32*l+:31] > 31'h7f80_0000 ? '0 : data_i[32*l+:31];
      end
    end
  end

  for (genvar k = 1; k < Levels; k++) begin : gen_levels
    localparam int unsigned Count = Lanes >> k;
    if (Count * 2 <= Lanes) begin : gen_level
      logic [Count*31-1:0] larger;
      always_comb begin
        for (int unsigned l = 0; l < Count; l++) begin
          larger[31*l+:31] = level_q[k-1][31*l+:31] > level_q[k-1][31*(l+Count)+:31]
                             ? level_q[k-1][31*l+:31] : level_q[k-1][31*(l+Count)+:31];
        end
      end
      always_ff @(posedge clk_i) begin
        if (valid_q[k-1]) level_q[k] <= (Lanes*31)'(larger);
      end
    end
  end

  // ---- over the words of a group ----------------------------------------------------------------
  logic        begins, ends, done_q;
  logic [30:0] word_maximum, maximum, maximum_q;
  logic [TagBits-1:0] tag, done_tag_q;

  assign tag          = tag_q[Levels-1];
  assign begins       = tag[33];
  assign ends         = tag[32];
  assign word_maximum = level_q[Levels-1][30:0];
  assign maximum      = begins || word_maximum > maximum_q ? word_maximum : maximum_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) done_q <= 1'b0;
    else done_q <= valid_q[Levels-1] & ends;
  end

  always_ff @(posedge clk_i) begin
    if (valid_q[Levels-1]) begin
      maximum_q  <= maximum;
      done_tag_q <= tag;
    end
  end

  assign valid_o   = done_q;
  assign maximum_o = maximum_q;
  assign {group_o, slot_o, head_o} = done_tag_q[31:0];

  logic unused;
  assign unused = ^{word_i, done_tag_q};
endmodule

/// Largest magnitudes; NaN counts as zero. Of a head, whose words come one after the other, the maximum
/// leaves by itself. Of a slot's row, whose words come in parts, it is kept and leaves when asked for.
module tt_vector_maximum #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Bits of the number of a slot.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: nothing is on its way.
  input  logic                rst_ni,
  /// A word comes.
  input  logic                valid_i,
  /// It is of a slot's row, not of a head.
  input  logic                row_i,
  /// Its elements, binary32.
  input  logic [32*Lanes-1:0] data_i,
  /// The word.
  input  tt_vector_pkg::word_t word_i,
  /// The maximum of a row is asked for, with no word of a row on its way.
  input  logic                ask_i,
  /// Its slot.
  input  logic [7:0]          ask_slot_i,
  /// The maximum of a head or of a row, for one cycle.
  output logic                valid_o,
  /// It, without sign.
  output logic [30:0]         maximum_o,
  /// The head's group, or the slot.
  output logic [15:0]         group_o,
  /// The slot.
  output logic [7:0]          slot_o,
  /// The head.
  output logic [7:0]          head_o
);
  localparam int unsigned Levels  = $clog2(Lanes) + 1;  // with the magnitudes
  localparam int unsigned TagBits = 35;

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
      tag_q <= (Levels*TagBits)'({tag_q, {row_i, word_i.begins, word_i.ends, word_i.group,
                                          word_i.slot, word_i.head}});
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

  // ---- over the words ---------------------------------------------------------------------------
  logic               row, begins, ends, done_q, row_q, asked_q;
  logic [30:0]        word_maximum, so_far, maximum, maximum_q, kept;
  logic [TagBits-1:0] tag, done_tag_q;
  logic [7:0]         ask_slot_q;

  assign tag          = tag_q[Levels-1];
  assign row          = tag[34];
  assign begins       = tag[33];
  assign ends         = tag[32];
  assign word_maximum = level_q[Levels-1][30:0];
  // What was kept in the cycle before is not read yet.
  assign so_far       = row && !(row_q && done_tag_q[15:8] == tag[15:8]) ? kept : maximum_q;
  assign maximum      = begins || word_maximum > so_far ? word_maximum : so_far;

  tt_ram #(.Width(31), .Depth(2 ** SlotBits), .Style("distributed")) u_rows (
    .clk_i,
    .write_i        (valid_q[Levels-1] & row),
    .write_address_i(tag[8+:SlotBits]),
    .write_data_i   (maximum),
    .read_i         (ask_i | valid_q[Levels-2]),
    .read_address_i (ask_i ? ask_slot_i[SlotBits-1:0] : tag_q[Levels-2][8+:SlotBits]),
    .read_data_o    (kept)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      done_q  <= 1'b0;
      row_q   <= 1'b0;
      asked_q <= 1'b0;
    end else begin
      done_q  <= valid_q[Levels-1] & ends & ~row;
      row_q   <= valid_q[Levels-1] & row;
      asked_q <= ask_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_q[Levels-1]) begin
      maximum_q  <= maximum;
      done_tag_q <= tag;
    end
    if (ask_i) ask_slot_q <= ask_slot_i;
  end

  assign valid_o   = done_q | asked_q;
  assign maximum_o = asked_q ? kept : maximum_q;
  assign group_o   = asked_q ? 16'(ask_slot_q) : done_tag_q[31:16];
  assign slot_o    = asked_q ? ask_slot_q : done_tag_q[15:8];
  assign head_o    = done_tag_q[7:0];

  logic unused;
  assign unused = ^{word_i, done_tag_q, tag_q};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!ask_i || valid_q == '0);
    end
  end
`endif
endmodule

/// Walks through a copy, piece by piece.
///
/// A piece is as many beats as lie in one block of 16 beats of card memory, in one page of 4 KiB of
/// host memory, and in the rest of the copy: a burst on either side.
module tt_host_walk #(
  /// Bytes of a beat, a power of two, 16..256.
  parameter int unsigned BeatBytes = 16
) (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low: no piece.
  input  logic        rst_ni,
  /// A copy begins, whatever is left of the last one; its first piece is offered in the next cycle.
  input  logic        start_i,
  /// Its address in host memory, a multiple of BeatBytes.
  input  logic [63:0] host_i,
  /// Its offset in a region of card memory, a multiple of BeatBytes.
  input  logic [38:0] card_i,
  /// Its beats, at least 1.
  input  logic [26:0] beats_i,
  /// A piece is offered; it holds until taken.
  output logic        valid_o,
  /// The piece is taken at the end of this cycle; only with valid_o.
  input  logic        take_i,
  /// Address of the piece in host memory.
  output logic [63:0] host_o,
  /// Offset of the piece in card memory.
  output logic [38:0] card_o,
  /// Beats of the piece, 1..16.
  output logic [4:0]  beats_o
);
  localparam int unsigned SizeBits = $clog2(BeatBytes);
  localparam int unsigned PageBits = 12 - SizeBits;  // of a beat's index in a page

  if (2 ** SizeBits != BeatBytes || SizeBits < 4 || SizeBits > 8) begin : gen_bad_bytes
    $fatal(1, "tt_host_walk: BeatBytes must be a power of two, 16..256");
  end

  logic [63:SizeBits]  host_q;
  logic [38:SizeBits]  card_q;
  logic [26:0]         left_q;
  logic [4:0]          to_block, of_card;
  logic [PageBits:0]   to_page;

  assign to_block = 5'd16 - 5'(card_q[SizeBits +: 4]);
  assign to_page  = {1'b1, PageBits'(0)} - {1'b0, host_q[SizeBits +: PageBits]};
  assign of_card  = 32'(to_page) < 32'(to_block) ? 5'(to_page) : to_block;
  assign beats_o  = left_q < 27'(of_card) ? left_q[4:0] : of_card;
  assign valid_o  = left_q != '0;
  assign host_o   = {host_q, SizeBits'(0)};
  assign card_o   = {card_q, SizeBits'(0)};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) left_q <= '0;
    else if (start_i) left_q <= beats_i;
    else if (take_i) left_q <= left_q - 27'(beats_o);
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      host_q <= host_i[63:SizeBits];
      card_q <= card_i[38:SizeBits];
    end else if (take_i) begin
      host_q <= host_q + (64 - SizeBits)'(beats_o);
      card_q <= card_q + (39 - SizeBits)'(beats_o);
    end
  end

  logic unused;
  assign unused = ^{host_i[SizeBits-1:0], card_i[SizeBits-1:0]};
endmodule

/// Packs words of 32 bits into beats, a beat a slot, and writes the beats to memory.
///
/// Every slot has an area of whole beats. Words are put at any place of a slot's present beat; the
/// one that flushes it says which words of it hold something, and only those are written.
module tt_head_pack #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat, a power of two, at least 8.
  parameter int unsigned BeatBytes = 64,
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Words of a beat.
  localparam int unsigned Words = BeatBytes / 4,
  /// Bits of a word number in a beat.
  localparam int unsigned WordBits = $clog2(Words)
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: nothing to write.
  input  logic                   rst_ni,
  /// Address of the area of slot 0, a multiple of BeatBytes; constant.
  input  logic [39:0]            base_i,
  /// Beats of an area; constant.
  input  logic [31:0]            area_beats_i,
  /// Something is put.
  input  logic                   put_valid_i,
  /// It is taken at the end of this cycle.
  output logic                   put_ready_o,
  /// Its slot.
  input  logic [SlotBits-1:0]    put_slot_i,
  /// Word of the beat.
  input  logic [WordBits-1:0]    put_word_i,
  /// Two words, from an even place on; otherwise one.
  input  logic                   put_pair_i,
  /// What an even place gets, what an odd place gets.
  input  logic [63:0]            put_data_i,
  /// The beat is to be written.
  input  logic                   put_flush_i,
  /// Which beat of the area it is.
  input  logic [31:0]            put_beat_i,
  /// Words of the beat that are to be written.
  input  logic [Words-1:0]       put_mask_i,
  /// A burst is requested.
  output logic                   wr_valid_o,
  /// The request is taken.
  input  logic                   wr_ready_i,
  /// Byte address of the burst.
  output logic [39:0]            wr_address_o,
  /// Beats of the burst.
  output logic [4:0]             wr_beats_o,
  /// A beat is offered.
  output logic                   wr_data_valid_o,
  /// The beat is taken.
  input  logic                   wr_data_ready_i,
  /// The beat.
  output logic [8*BeatBytes-1:0] wr_data_o,
  /// Its bytes that are written.
  output logic [BeatBytes-1:0]   wr_strobe_o,
  /// A burst is answered, a pulse.
  input  logic                   wr_done_i,
  /// Everything is written and answered.
  output logic                   idle_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned IndexBits = 40 - SizeBits;

  localparam int unsigned Pairs     = Words / 2;
  localparam int unsigned PairBits  = WordBits - 1;

  typedef enum logic [1:0] {
    Put,
    Fetch,
    Send
  } state_e;

  state_e               state_q;
  logic                 request_q, data_q, put, fetch, fetched_q;
  logic [PairBits:0]    fetch_q;  // pairs read
  logic [15:0]          open_q;  // bursts without answer
  logic [SlotBits-1:0]  slot_q;
  logic [IndexBits-1:0] area_q, beat_q, index_q;
  logic [Words-1:0]     mask_q;

  assign put_ready_o = state_q == Put && !open_q[15];
  assign put         = put_valid_i & put_ready_o;
  assign fetch       = state_q == Fetch && !fetch_q[PairBits];
  assign idle_o      = state_q == Put && open_q == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= Put;
      request_q <= 1'b0;
      data_q    <= 1'b0;
      open_q    <= '0;
      fetch_q   <= '0;
      fetched_q <= 1'b0;
    end else begin
      unique case (state_q)
        Put: if (put && put_flush_i) state_q <= Fetch;
        Fetch: begin
          fetch_q <= fetch ? fetch_q + 1'b1 : '0;
          if (!fetch) begin
            state_q   <= Send;
            request_q <= 1'b1;
            data_q    <= 1'b1;
          end
        end
        default: begin
          if (wr_ready_i) request_q <= 1'b0;
          if (wr_data_ready_i) data_q <= 1'b0;
          if ((!request_q || wr_ready_i) && (!data_q || wr_data_ready_i)) state_q <= Put;
        end
      endcase
      fetched_q <= fetch;
      open_q    <= open_q + 16'(put & put_flush_i) - 16'(wr_done_i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (put && put_flush_i) begin
      slot_q <= put_slot_i;
      area_q <= IndexBits'(put_slot_i) * IndexBits'(area_beats_i);
      beat_q <= IndexBits'(put_beat_i);
      mask_q <= put_mask_i;
    end
    if (fetch) index_q <= base_i[39:SizeBits] + area_q + beat_q;
  end

  // Even and odd words; a beat is read pair by pair, lowest first.
  logic [8*BeatBytes-1:0] data_beat_q;
  logic [63:0]            pair;

  for (genvar h = 0; h < 2; h++) begin : gen_half
    tt_ram #(
      .Width(32),
      .Depth(Pairs * 2 ** SlotBits)
    ) u_words (
      .clk_i,
      .write_i        (put & (put_pair_i | (put_word_i[0] == 1'(h)))),
      .write_address_i({put_slot_i, put_word_i[WordBits-1:1]}),
      .write_data_i   (put_data_i[32*h +: 32]),
      .read_i         (fetch),
      .read_address_i ({slot_q, fetch_q[PairBits-1:0]}),
      .read_data_o    (pair[32*h +: 32])
    );
  end

  always_ff @(posedge clk_i) begin
    if (fetched_q) data_beat_q <= {pair, data_beat_q[8*BeatBytes-1:64]};
  end

  for (genvar w = 0; w < Words; w++) begin : gen_strobe
    assign wr_strobe_o[4*w +: 4] = {4{mask_q[w]}};
  end

  assign wr_valid_o      = request_q;
  assign wr_address_o    = {index_q, SizeBits'(0)};
  assign wr_beats_o      = 5'd1;
  assign wr_data_valid_o = data_q;
  assign wr_data_o       = data_beat_q;

  logic unused;
  assign unused = ^base_i[SizeBits-1:0];
endmodule

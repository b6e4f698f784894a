/// Reads what a doorbell points at: pass descriptor, slot records, the page of each slot's row; and
/// starts the stream of the program.
///
/// All of it comes through one reader, one run after the other: records of 64 bytes, except for the
/// page table entries, which are single beats.
module tt_pass_loader
#(
  /// Slots of the card.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat, at least 8.
  parameter int unsigned BeatBytes = 64,
  /// Rows of a KV page, a power of two.
  parameter int unsigned PageRows = 16
) (
  /// Clock.
  input  logic                      clk_i,
  /// Asynchronous reset, active low.
  input  logic                      rst_ni,
  /// A pass starts; only while none runs.
  input  logic                      start_i,
  /// Address of its descriptor.
  input  logic [63:0]               address_i,
  /// To the reader: a run of beats.
  output logic                      run_valid_o,
  /// The reader takes it.
  input  logic                      run_ready_i,
  /// Address of the first beat.
  output logic [39:0]               run_address_o,
  /// Beats of the run.
  output logic [31:0]               run_beats_o,
  /// Beats are taken here, not by the record reader.
  output logic                      single_o,
  /// A beat is there.
  input  logic                      beat_valid_i,
  /// The beat.
  input  logic [8*BeatBytes-1:0]    beat_data_i,
  /// The record reader begins anew.
  output logic                      flush_o,
  /// Records are taken here.
  output logic                      take_o,
  /// A record is there.
  input  logic                      record_valid_i,
  /// The record.
  input  logic [511:0]              record_i,
  /// Everything is read and well; the program's records follow.
  output logic                      done_o,
  /// Something is wrong, for one cycle.
  output logic                      error_o,
  /// What.
  output tt_card_pkg::error_e                    code_o,
  /// Where.
  output logic [39:0]               error_address_o,
  /// The pass; constant from done_o on.
  output tt_card_pkg::pass_t                     pass_o,
  /// The slots, one after the other, slot 0 lowest; constant from done_o on.
  output logic [tt_card_pkg::SlotBits*Slots-1:0] slot_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned SlotIndex = $clog2(Slots + 1);
  localparam int unsigned HeadBeats = BeatBytes < 64 ? 64 / BeatBytes : 1;

  typedef enum logic [3:0] {
    Idle, AskHead, Head, AskSlots, SlotRecords, Flush, Pages, AskProgram, Done
  } state_e;

  state_e               state_q;
  logic [39:0]          address_q, program_q;
  tt_card_pkg::pass_t                pass_q;
  logic [SlotIndex-1:0] ask_q, got_q;  // slots whose page was asked for, records or pages received
  logic                 error_q;
  tt_card_pkg::error_e               code_q;

  // ---- fields of a record ----------------------------------------------------------------------
  logic [15:0][31:0] word;
  tt_card_pkg::slot_t             record, before_q;
  logic [39:0]       page_address;
  logic [31:0]       slot_beats;
  logic              bad_slot, last_slot, asked, head_taken, slot_taken, page_taken;
  logic              slots_asked;
  tt_card_pkg::error_e            head_code;

  assign word              = record_i;
  assign record.token      = word[0];
  assign record.position   = word[1];
  assign record.row        = word[2];
  assign record.history    = word[3];
  assign record.mask       = word[4];
  assign record.head       = word[5][0];
  assign record.page_table = {word[7][7:0], word[6]};
  assign record.page       = '0;

  // Neighbours with one page table share its stream, so they must agree on the history.
  assign bad_slot = word[6][1:0] != '0 || word[7][31:8] != '0 || word[5][31:1] != '0
                    || (got_q != '0 && record.page_table == before_q.page_table
                        && record.history != before_q.history);

  always_comb begin
    head_code = tt_card_pkg::ErrNone;
    if (word[0] != 32'h5353_5454) begin
      head_code = tt_card_pkg::ErrPassMagic;
    end else if (word[1] == '0 || word[1] > Slots) begin
      head_code = tt_card_pkg::ErrPassSlots;
    end else if ((word[2] & (BeatBytes - 1)) != '0 || (word[6] & (BeatBytes - 1)) != '0
                 || (word[8] & (BeatBytes - 1)) != '0 || word[3][31:8] != '0 || word[7][31:8] != '0
                 || word[9][31:8] != '0) begin
      head_code = tt_card_pkg::ErrPassAddress;
    end else if (word[4][5:0] != '0 || word[4] == '0 || word[4][31:22] != '0) begin
      head_code = tt_card_pkg::ErrPassProgram;
    end
  end

  // ---- control ---------------------------------------------------------------------------------
  assign take_o     = state_q == Head || state_q == SlotRecords;
  assign head_taken = state_q == Head && record_valid_i;
  assign slot_taken = state_q == SlotRecords && record_valid_i;
  assign page_taken = state_q == Pages && beat_valid_i;
  assign single_o   = state_q == Pages;
  assign flush_o    = state_q == AskHead || state_q == Flush;
  assign last_slot  = 8'(got_q) + 8'd1 == pass_q.slots;
  assign slots_asked = state_q == AskSlots && (run_ready_i || slot_beats == '0);
  assign asked      = 8'(ask_q) == pass_q.slots;
  assign slot_beats = (32'(pass_q.slots) * 64 + 64 + BeatBytes - 1) / BeatBytes - HeadBeats;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      ask_q   <= '0;
      got_q   <= '0;
      error_q <= 1'b0;
    end else begin
      error_q <= 1'b0;
      case (state_q)
        Idle: begin
          ask_q <= '0;
          got_q <= '0;
          if (start_i) begin
            if (address_i[63:40] != '0 || address_i[SizeBits-1:0] != '0) error_q <= 1'b1;
            else state_q <= AskHead;
          end
        end
        AskHead: if (run_ready_i) state_q <= Head;
        Head: begin
          if (record_valid_i) begin
            error_q <= head_code != tt_card_pkg::ErrNone;
            state_q <= head_code == tt_card_pkg::ErrNone ? AskSlots : Idle;
          end
        end
        AskSlots: if (slots_asked) state_q <= SlotRecords;
        SlotRecords: begin
          if (record_valid_i) begin
            got_q <= last_slot ? '0 : got_q + 1'b1;
            if (bad_slot) begin
              error_q <= 1'b1;
              state_q <= Idle;
            end else if (last_slot) begin
              state_q <= Flush;
            end
          end
        end
        Flush: state_q <= Pages;
        Pages: begin
          if (run_valid_o && run_ready_i) ask_q <= ask_q + 1'b1;
          if (beat_valid_i) got_q <= got_q + 1'b1;
          if (beat_valid_i && last_slot) state_q <= AskProgram;
        end
        AskProgram: if (run_ready_i) state_q <= Done;
        default: state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      address_q <= address_i[39:0];
      code_q    <= tt_card_pkg::ErrPassAddress;
    end
    if (head_taken) begin
      code_q          <= head_code;
      pass_q.slots    <= word[1][7:0];
      pass_q.commands <= word[4][21:6];
      pass_q.results  <= {word[7][7:0], word[6]};
      pass_q.logits   <= {word[9][7:0], word[8]};
      program_q       <= {word[3][7:0], word[2]};
    end
    if (slots_asked || (slot_taken && !bad_slot)) address_q <= address_q + 40'd64;
    if (slot_taken) begin
      code_q   <= tt_card_pkg::ErrPassSlot;
      before_q <= record;
      if (got_q == '0 || record.token > pass_q.token) pass_q.token <= record.token;
      if (got_q == '0 || record.position > pass_q.position) pass_q.position <= record.position;
      if (got_q == '0 || record.row > pass_q.row) pass_q.row <= record.row;
      if (got_q == '0 || record.history > pass_q.history) pass_q.history <= record.history;
    end
  end

  // ---- slots -----------------------------------------------------------------------------------
  logic [39:0] got_address;
  logic [31:0] page;

  tt_slot_file #(
    .Slots   (Slots),
    .PageRows(PageRows)
  ) u_slots (
    .clk_i,
    .record_i      (slot_taken),
    .page_i        (page_taken),
    .slot_i        (8'(got_q)),
    .data_i        (record),
    .page_data_i   (page),
    .page_address_o(got_address),
    .ask_i         (8'(ask_q)),
    .ask_address_o (page_address),
    .slot_o        (slot_o)
  );

  assign page = beat_data_i[32*got_address[SizeBits-1:2] +: 32];

  // ---- runs ------------------------------------------------------------------------------------
  always_comb begin
    run_valid_o   = 1'b0;
    run_address_o = address_q;
    run_beats_o   = HeadBeats;
    case (state_q)
      AskHead: run_valid_o = 1'b1;
      AskSlots: begin
        run_valid_o   = slot_beats != '0;
        run_address_o = address_q + 40'(HeadBeats * BeatBytes);
        run_beats_o   = slot_beats;
      end
      Pages: begin
        run_valid_o   = ~asked;
        run_address_o = {page_address[39:SizeBits], SizeBits'(0)};
        run_beats_o   = 32'd1;
      end
      AskProgram: begin
        run_valid_o   = 1'b1;
        run_address_o = program_q;
        run_beats_o   = (32'(pass_q.commands) * 64 + BeatBytes - 1) / BeatBytes;
      end
      default: ;
    endcase
  end

  assign done_o          = state_q == Done;
  assign error_o         = error_q;
  assign code_o          = code_q;
  assign error_address_o = address_q;
  assign pass_o          = pass_q;

  logic unused;
  assign unused = ^{page_address, got_address, before_q, word[10], word[11], word[12],
                    word[13], word[14], word[15]};
endmodule

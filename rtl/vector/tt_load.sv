/// Loads parameters into a bank of buffer P, and the slots' rows of the rotary table into buffer R.
module tt_load #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Elements of a word, a power of two, at most BeatBytes / 4.
  parameter int unsigned Lanes = 8,
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64,
  /// Words of a bank of buffer P.
  parameter int unsigned ParamWords = 1024,
  /// Longest head.
  parameter int unsigned HeadDimMax = 128,
  /// Bits of an address of buffer P.
  localparam int unsigned ParamBits = $clog2(2 * ParamWords),
  /// Bits of an address of buffer R.
  localparam int unsigned RotaryBits = $clog2(Slots * HeadDimMax / 2 / Lanes)
) (
  /// Clock.
  input  logic                                   clk_i,
  /// Asynchronous reset, active low: no command. Reset the memory with it.
  input  logic                                   rst_ni,
  /// The model.
  input  tt_card_pkg::model_t                    model_i,
  /// Slots of the pass, at least 1.
  input  logic [7:0]                             slots_i,
  /// The slots, slot 0 lowest.
  input  logic [tt_card_pkg::SlotBits*Slots-1:0] slot_i,
  /// A command is offered.
  input  logic                                   cmd_valid_i,
  /// It is taken; depends on registers alone.
  output logic                                   cmd_ready_o,
  /// The command: load or load_rope, checked.
  input  logic [511:0]                           cmd_i,
  /// A command is done, for one cycle.
  output logic                                   done_o,
  /// A command is here.
  output logic                                   busy_o,
  /// A burst is requested.
  output logic                                   rd_valid_o,
  /// The request is taken.
  input  logic                                   rd_ready_i,
  /// Byte address of the burst.
  output logic [39:0]                            rd_address_o,
  /// Beats of the burst.
  output logic [4:0]                             rd_beats_o,
  /// A beat comes.
  input  logic                                   rd_data_valid_i,
  /// The beat.
  input  logic [8*BeatBytes-1:0]                 rd_data_i,
  /// A word of buffer P is written.
  output logic                                   p_write_o,
  /// Which: bank * ParamWords + word.
  output logic [ParamBits-1:0]                   p_address_o,
  /// What.
  output logic [32*Lanes-1:0]                    p_data_o,
  /// A word of buffer R is written.
  output logic                                   r_write_o,
  /// Which: slot * (head_dim / 2 / Lanes) + word.
  output logic [RotaryBits-1:0]                  r_address_o,
  /// Cosines, above them sines.
  output logic [64*Lanes-1:0]                    r_data_o
);
  localparam int unsigned LaneBits  = $clog2(Lanes);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned Parts     = BeatBytes / 4 / Lanes;  // words of a beat
  localparam int unsigned PartBits  = Parts > 1 ? $clog2(Parts) : 1;
  localparam int unsigned HalfWords = HeadDimMax / 2 / Lanes > 1 ? HeadDimMax / 2 / Lanes : 2;
  localparam int unsigned HalfBits  = $clog2(HalfWords);

  if (Parts == 0) begin : gen_bad_lanes
    $fatal(1, "tt_load: Lanes must be at most BeatBytes / 4");
  end

  typedef enum logic [2:0] {Idle, Row, Wait, Start, Words, Done} state_e;

  state_e                     state_q;
  tt_command_pkg::load_t      load_q;
  tt_card_pkg::slot_t         slot;
  logic                       rope, address_valid, start_ready, take, last_word, last_slot;
  logic [7:0]                 slot_q;
  logic [39:0]                address;
  logic [17:0]                columns;  // of a row
  logic [15:0]                words, half, beats;

  assign rope    = load_q.opcode == 8'(tt_command_pkg::OpLoadRope);
  assign slot    = slot_i[32'(slot_q)*tt_card_pkg::SlotBits+:tt_card_pkg::SlotBits];
  assign columns = rope ? 18'(model_i.head_dim) : load_q.columns[17:0];
  assign words   = 16'((columns + 18'(Lanes - 1)) >> LaneBits);
  assign half    = words >> 1;
  assign beats   = 16'((20'(columns) * 20'd4 + 20'(BeatBytes - 1)) >> SizeBits);

  tt_row_address #(.BeatBytes(BeatBytes)) u_address (
    .clk_i,
    .rst_ni,
    .start_i  (state_q == Row),
    .base_i   (load_q.address),
    .row_i    (rope ? slot.position : '0),
    .beats_i  (beats),
    .done_o   (address_valid),
    .address_o(address)
  );

  logic                   beat_valid, last_part;
  logic [8*BeatBytes-1:0] beat;

  tt_beat_reader #(
    .BeatBytes(BeatBytes),
    .FifoDepth(16)
  ) u_reader (
    .clk_i,
    .rst_ni,
    .start_valid_i  (state_q == Start),
    .start_ready_o  (start_ready),
    .start_address_i(address),
    .start_beats_i  (32'(beats)),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .beat_valid_o   (beat_valid),
    .beat_ready_i   (take & (last_part | last_word)),
    .beat_data_o    (beat)
  );

  // ---- words ------------------------------------------------------------------------------------
  logic [PartBits-1:0] part_q;
  logic [15:0]         word_q, rotary_q;  // word of the row; first word of the slot in R
  logic [32*Lanes-1:0] word, data_q, cosines;
  logic                write_q, sines_q, sines;
  logic [15:0]         address_q;

  assign take      = state_q == Words & beat_valid;
  assign last_part = part_q == PartBits'(Parts - 1);
  assign last_word = word_q + 16'd1 == words;
  assign last_slot = ~rope || slot_q + 8'd1 == slots_i;
  assign sines     = word_q >= half;

  always_comb begin
    word = beat[32*Lanes-1:0];
    for (int unsigned p = 1; p < Parts; p++) begin
      if (part_q == PartBits'(p)) word = beat[32*Lanes*p+:32*Lanes];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      slot_q  <= '0;
      part_q  <= '0;
      word_q  <= '0;
      write_q <= 1'b0;
    end else begin
      write_q <= take;
      if (take) begin
        part_q <= last_part || last_word ? '0 : part_q + 1'b1;
        word_q <= last_word ? '0 : word_q + 16'd1;
      end
      unique case (state_q)
        Idle: if (cmd_valid_i) begin
          state_q <= Row;
          slot_q  <= '0;
        end
        Row:   state_q <= Wait;
        Wait:  if (address_valid) state_q <= Start;
        Start: if (start_ready) state_q <= Words;
        Words: if (take && last_word) begin
          state_q <= last_slot ? Done : Row;
          slot_q  <= slot_q + 8'd1;
        end
        default: state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      load_q   <= cmd_i;
      rotary_q <= '0;
    end else if (take && last_word) begin
      rotary_q <= rotary_q + half;
    end
    if (take) begin
      data_q    <= word;
      sines_q   <= sines;
      address_q <= rope ? rotary_q + word_q - half
                        : word_q + (load_q.bank ? 16'(ParamWords) : 16'd0);
    end
  end

  // The cosines of a row wait for its sines.
  tt_ram #(
    .Width(32 * Lanes),
    .Depth(HalfWords),
    .Style("distributed")
  ) u_cosines (
    .clk_i,
    .write_i        (take & rope & ~sines),
    .write_address_i(word_q[HalfBits-1:0]),
    .write_data_i   (word),
    .read_i         (take & rope & sines),
    .read_address_i (HalfBits'(word_q - half)),
    .read_data_o    (cosines)
  );

  assign p_write_o   = write_q & ~rope;
  assign p_address_o = address_q[ParamBits-1:0];
  assign p_data_o    = data_q;
  assign r_write_o   = write_q & rope & sines_q;
  assign r_address_o = address_q[RotaryBits-1:0];
  assign r_data_o    = {data_q, cosines};
  assign cmd_ready_o = state_q == Idle;
  assign done_o      = state_q == Done;
  assign busy_o      = state_q != Idle;

  logic unused;
  assign unused = ^{model_i, load_q, slot, address_q};
endmodule

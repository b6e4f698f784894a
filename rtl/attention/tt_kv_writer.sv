/// Writes rows of K and V into the pages of the cache: elements into the beats that they share with
/// the rows beside them, by strobes, and the step of the row.
///
/// A row costs three cycles for its address, a cycle a word and one for its step. A row for a page
/// that the cache does not have is taken and dropped.
module tt_kv_writer #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Elements of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Rows of a page, a power of two.
  parameter int unsigned PageRows = 16
) (
  /// Clock.
  input  logic                                        clk_i,
  /// Asynchronous reset, active low: no row, nothing in flight. Reset the memory with it.
  input  logic                                        rst_ni,
  /// The model; constant during a pass.
  input  tt_card_pkg::model_t                         model_i,
  /// The slots: tt_card_pkg::slot_t each.
  input  logic [Slots-1:0][tt_card_pkg::SlotBits-1:0] slot_i,
  /// A word of a row.
  input  logic                                        kv_valid_i,
  /// It is taken.
  output logic                                        kv_ready_o,
  /// Its elements, int8, or int4 extended.
  input  logic [8*Lanes-1:0]                          kv_data_i,
  /// Slot of the row; this and what follows is constant over the row.
  input  logic [7:0]                                  kv_slot_i,
  /// Key-value head of the row.
  input  logic [7:0]                                  kv_head_i,
  /// The row is of V.
  input  logic                                        kv_value_i,
  /// Last word of the row.
  input  logic                                        kv_last_i,
  /// Step of the row, binary32.
  input  logic [31:0]                                 kv_step_i,
  /// Base address of the layer's pages.
  input  logic [39:0]                                 kv_base_i,
  /// No row is here and every write has been answered.
  output logic                                        kv_idle_o,
  /// A pulse: a row was dropped, because its page is outside of the cache.
  output logic                                        error_o,

  /// Memory: a burst of one beat is requested.
  output logic                                        wr_valid_o,
  /// Memory: the request is taken.
  input  logic                                        wr_ready_i,
  /// Memory: byte address of the beat.
  output logic [39:0]                                 wr_address_o,
  /// Memory: constant 1.
  output logic [4:0]                                  wr_beats_o,
  /// Memory: a beat of data.
  output logic                                        wr_data_valid_o,
  /// Memory: it is taken.
  input  logic                                        wr_data_ready_i,
  /// Memory: the beat.
  output logic [8*BeatBytes-1:0]                      wr_data_o,
  /// Memory: which of its bytes are written.
  output logic [BeatBytes-1:0]                        wr_strobe_o,
  /// Memory: the oldest write is answered.
  input  logic                                        wr_done_i
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned LaneBits  = $clog2(Lanes);
  localparam int unsigned RowBits   = $clog2(PageRows);
  localparam int unsigned IndexBits = Slots > 1 ? $clog2(Slots) : 1;
  localparam int unsigned StepBytes = (4 * PageRows + BeatBytes - 1) / BeatBytes * BeatBytes;

  if (Lanes < 4 || 2 ** LaneBits != Lanes || BeatBytes < 4 * Lanes) begin : gen_bad
    $fatal(1, "tt_kv_writer: Lanes must be a power of two, at least 4, at most BeatBytes / 4");
  end

  // ---- the row's address -----------------------------------------------------------------------
  typedef enum logic [2:0] {Idle, Scale, Place, Words, Step} state_e;
  state_e             state_q;
  tt_card_pkg::slot_t slot;
  logic [31:0]        page_q;
  logic [RowBits-1:0] row_q;
  logic [15:0]        row_bytes;
  logic [31:0]        rows_bytes;  // of the K rows of a page, padded to a beat
  logic [39:0]        page_offset_q, head_offset_q, row_offset_q, address_q, step_address_q;
  logic               drop_q, take, push, beats_ready, beat_end;

  assign slot       = slot_i[kv_slot_i[IndexBits-1:0]];
  assign row_bytes  = model_i.kv_int4 ? {1'b0, model_i.head_dim[15:1]} : model_i.head_dim;
  assign rows_bytes = ((32'(row_bytes) << RowBits) + 32'(BeatBytes - 1))
                      & ~32'(BeatBytes - 1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      error_o <= 1'b0;
    end else begin
      error_o <= state_q == Scale && page_q >= model_i.pages;
      unique case (state_q)
        Idle:    if (kv_valid_i) state_q <= Scale;
        Scale:   state_q <= Place;
        Place:   state_q <= Words;
        Words:   if (take && kv_last_i) state_q <= Step;
        default: if (beats_ready) state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    unique case (state_q)
      Idle: begin
        if (kv_valid_i) begin
          page_q <= slot.page;
          row_q  <= slot.row[RowBits-1:0];
        end
      end
      Scale: begin
        drop_q        <= page_q >= model_i.pages;
        page_offset_q <= 40'(page_q) * 40'(model_i.page_bytes);
        head_offset_q <= 40'(kv_head_i) * 40'(model_i.head_bytes);
        row_offset_q  <= 40'(row_q) * 40'(row_bytes);
      end
      Place: begin
        address_q <= kv_base_i + page_offset_q + head_offset_q + row_offset_q
                     + (kv_value_i ? 40'(rows_bytes) + 40'(2 * StepBytes) : '0);
        step_address_q <= kv_base_i + page_offset_q + head_offset_q + 40'(rows_bytes)
                          + (kv_value_i ? 40'(StepBytes) : '0) + 40'({row_q, 2'b00});
      end
      Words: begin
        if (take) begin
          address_q <= address_q + (model_i.kv_int4 ? 40'(Lanes / 2) : 40'(Lanes));
        end
      end
      default: ;
    endcase
  end

  // ---- beats -----------------------------------------------------------------------------------
  logic [8*BeatBytes-1:0] data_q, data, spread, merged;
  logic [BeatBytes-1:0]   strobe_q, strobe, place;
  logic [39:0]            address;
  logic [31:0]            step_q;

  // The word, or its nibbles, everywhere in the beat; a strobe says where it belongs.
  for (genvar i = 0; i < BeatBytes; i++) begin : gen_byte
    localparam int unsigned Low  = 2 * (i % (Lanes / 2));
    localparam int unsigned Byte = i % Lanes;
    assign spread[8*i +: 8] = model_i.kv_int4
                              ? {kv_data_i[8*(Low+1) +: 4], kv_data_i[8*Low +: 4]}
                              : kv_data_i[8*Byte +: 8];
    assign place[i] = model_i.kv_int4
                      ? address_q[SizeBits-1:LaneBits-1] == (SizeBits-LaneBits+1)'(i / (Lanes / 2))
                      : address_q[SizeBits-1:LaneBits] == (SizeBits-LaneBits)'(i / Lanes);
    assign merged[8*i +: 8] = place[i] ? spread[8*i +: 8] : data_q[8*i +: 8];
  end

  assign beat_end = model_i.kv_int4 ? &address_q[SizeBits-1:LaneBits-1]
                                    : &address_q[SizeBits-1:LaneBits];
  assign kv_ready_o = state_q == Words && beats_ready;
  assign take       = kv_valid_i && kv_ready_o;

  always_comb begin
    if (state_q == Step) begin
      push    = beats_ready && !drop_q;
      address = step_address_q;
      data    = {BeatBytes/4{step_q}};
      strobe  = BeatBytes'(4'hf) << {step_address_q[SizeBits-1:2], 2'b00};
    end else begin
      push    = take && !drop_q && (beat_end || kv_last_i);
      address = address_q;
      data    = merged;
      strobe  = strobe_q | place;
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Place) begin
      strobe_q <= '0;
      step_q   <= kv_step_i;
    end else if (take) begin
      strobe_q <= push ? '0 : strobe_q | place;
      data_q   <= merged;
    end
  end

  // ---- to memory -------------------------------------------------------------------------------
  logic        requests_ready, data_ready;
  logic [15:0] pending_q;  // beats that are not answered

  assign beats_ready = requests_ready && data_ready;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) pending_q <= '0;
    else pending_q <= pending_q + 16'(push) - 16'(wr_done_i);
  end
  assign kv_idle_o = state_q == Idle && !kv_valid_i && pending_q == '0;

  logic [39-SizeBits:0] index;
  tt_fifo #(.Width(40 - SizeBits), .Depth(16)) u_requests (
    .clk_i,
    .rst_ni,
    .valid_i(push),
    .ready_o(requests_ready),
    .data_i (address[39:SizeBits]),
    .valid_o(wr_valid_o),
    .ready_i(wr_ready_i),
    .data_o (index)
  );
  tt_fifo #(.Width(9 * BeatBytes), .Depth(16)) u_data (
    .clk_i,
    .rst_ni,
    .valid_i(push),
    .ready_o(data_ready),
    .data_i ({strobe, data}),
    .valid_o(wr_data_valid_o),
    .ready_i(wr_data_ready_i),
    .data_o ({wr_strobe_o, wr_data_o})
  );
  assign wr_address_o = {index, SizeBits'(0)};
  assign wr_beats_o   = 5'd1;

  logic unused;
  assign unused = ^{model_i, slot, kv_slot_i, address[SizeBits-1:0], step_address_q[1:0]};
endmodule

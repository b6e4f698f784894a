/// The read client of attention: the stream of pages, and single beats of page tables in between.
///
/// A beat of a page table does not wait behind the stream's FIFO: it is picked out as it comes.
module tt_kv_stream #(
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Beats that are requested ahead, a power of two, at least 16.
  parameter int unsigned Ahead = 128
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                   rst_ni,
  /// A run of beats is wanted.
  input  logic                   start_valid_i,
  /// The run is taken; depends on registers alone.
  output logic                   start_ready_o,
  /// Byte address of its first beat.
  input  logic [39:0]            start_address_i,
  /// Its beats.
  input  logic [31:0]            start_beats_i,
  /// A beat of the stream.
  output logic                   beat_valid_o,
  /// It is taken.
  input  logic                   beat_ready_i,
  /// The beat.
  output logic [8*BeatBytes-1:0] beat_data_o,
  /// A single beat is wanted, at most one at a time.
  input  logic                   fetch_valid_i,
  /// The wish is taken.
  output logic                   fetch_ready_o,
  /// Its byte address.
  input  logic [39:0]            fetch_address_i,
  /// The single beat is on rd_data_i.
  output logic                   answer_valid_o,
  /// Memory: a burst is requested.
  output logic                   rd_valid_o,
  /// Memory: the request is taken.
  input  logic                   rd_ready_i,
  /// Memory: byte address of the burst.
  output logic [39:0]            rd_address_o,
  /// Memory: beats of the burst.
  output logic [4:0]             rd_beats_o,
  /// Memory: a beat comes.
  input  logic                   rd_data_valid_i,
  /// Memory: the beat.
  input  logic [8*BeatBytes-1:0] rd_data_i
);
  localparam int unsigned CountBits = $clog2(Ahead + 1);

  logic                 burst_valid, burst_ready, valid_q, free, single_q, to_stream;
  logic [39:0]          burst_address, address_q;
  logic [4:0]           burst_beats, beats_q;
  logic [CountBits-1:0] pending_q;  // beats of the stream that were requested and did not come
  logic [CountBits-1:0] before_q;   // those of them that come before the single beat

  assign free           = !valid_q || rd_ready_i;
  assign fetch_ready_o  = free;
  assign burst_ready    = free && !fetch_valid_i;
  assign answer_valid_o = rd_data_valid_i && single_q && before_q == '0;
  assign to_stream      = rd_data_valid_i && !answer_valid_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q   <= 1'b0;
      single_q  <= 1'b0;
      pending_q <= '0;
      before_q  <= '0;
    end else begin
      if (free) valid_q <= fetch_valid_i || burst_valid;
      pending_q <= pending_q - CountBits'(to_stream)
                   + (burst_valid && burst_ready ? CountBits'(burst_beats) : '0);
      if (fetch_valid_i && free) begin
        single_q <= 1'b1;
        before_q <= pending_q - CountBits'(to_stream);
      end else begin
        if (answer_valid_o) single_q <= 1'b0;
        if (single_q && to_stream) before_q <= before_q - 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (free) begin
      address_q <= fetch_valid_i ? fetch_address_i : burst_address;
      beats_q   <= fetch_valid_i ? 5'd1 : burst_beats;
    end
  end

  assign rd_valid_o   = valid_q;
  assign rd_address_o = address_q;
  assign rd_beats_o   = beats_q;

  tt_beat_reader #(
    .BeatBytes(BeatBytes),
    .FifoDepth(Ahead),
    .RamStyle (Ahead > 32 ? "block" : "distributed")
  ) u_reader (
    .clk_i,
    .rst_ni,
    .start_valid_i,
    .start_ready_o,
    .start_address_i,
    .start_beats_i,
    .rd_valid_o     (burst_valid),
    .rd_ready_i     (burst_ready),
    .rd_address_o   (burst_address),
    .rd_beats_o     (burst_beats),
    .rd_data_valid_i(to_stream),
    .rd_data_i,
    .beat_valid_o,
    .beat_ready_i,
    .beat_data_o
  );
endmodule

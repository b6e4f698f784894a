/// Streams a run of beats from memory: a read client of tt_memory.
///
/// A run of any number of beats from a byte address is read by bursts of up to 16 beats that end at
/// multiples of 16 beats. A burst is requested only when the FIFO has room for all of it, so data
/// are always taken. Runs follow each other without a gap: the next one is requested while the
/// beats of the last are still on their way.
module tt_beat_reader #(
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64,
  /// Beats that the FIFO holds, a power of two, at least 16.
  parameter int unsigned FifoDepth = 32,
  /// `ram_style` of the FIFO's memory: "block" or "distributed".
  parameter              RamStyle = "distributed"
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no run, FIFO empty. Reset the memory with it.
  input  logic                   rst_ni,
  /// A run is offered.
  input  logic                   start_valid_i,
  /// The run is taken: every request of the run before it has been made. Depends on registers
  /// alone.
  output logic                   start_ready_o,
  /// Byte address of the first beat, a multiple of BeatBytes.
  input  logic [39:0]            start_address_i,
  /// Beats of the run, at least 1.
  input  logic [31:0]            start_beats_i,
  /// A burst is requested.
  output logic                   rd_valid_o,
  /// The request is taken.
  input  logic                   rd_ready_i,
  /// Byte address of the burst.
  output logic [39:0]            rd_address_o,
  /// Beats of the burst, 1..16.
  output logic [4:0]             rd_beats_o,
  /// A beat comes, in the order of the requests.
  input  logic                   rd_data_valid_i,
  /// The beat.
  input  logic [8*BeatBytes-1:0] rd_data_i,
  /// A beat is at the output, in stream order.
  output logic                   beat_valid_o,
  /// The beat is taken at the end of this cycle.
  input  logic                   beat_ready_i,
  /// The beat; holds until taken.
  output logic [8*BeatBytes-1:0] beat_data_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned IndexBits = 40 - SizeBits;  // address of a beat in memory
  localparam int unsigned RoomBits  = $clog2(FifoDepth + 1);

  if (2 ** SizeBits != BeatBytes) begin : gen_bad_bytes
    $fatal(1, "tt_beat_reader: BeatBytes must be a power of two");
  end
  if (FifoDepth < 16) begin : gen_bad_depth
    $fatal(1, "tt_beat_reader: FifoDepth must be at least 16");
  end

  // ---- requests --------------------------------------------------------------------------------
  logic [IndexBits-1:0] index_q, request_index_q;
  logic [31:0]          left_q;  // beats not requested
  logic [4:0]           to_boundary, burst, request_beats_q;
  logic [RoomBits-1:0]  room_q;  // places of the FIFO that no beat has and no request claims
  logic                 request_valid_q, request, taken;

  assign to_boundary   = 5'd16 - 5'(index_q[3:0]);
  assign burst         = left_q < 32'(to_boundary) ? left_q[4:0] : to_boundary;
  assign request       = left_q != '0 && 32'(room_q) >= 32'(burst)
                         && (!request_valid_q || rd_ready_i);
  assign start_ready_o = left_q == '0;
  assign taken         = beat_valid_o & beat_ready_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q          <= '0;
      room_q          <= RoomBits'(FifoDepth);
      request_valid_q <= 1'b0;
    end else begin
      if (start_ready_o && start_valid_i) left_q <= start_beats_i;
      else if (request) left_q <= left_q - 32'(burst);
      room_q <= room_q + RoomBits'(taken) - (request ? RoomBits'(burst) : '0);
      if (request) request_valid_q <= 1'b1;
      else if (rd_ready_i) request_valid_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_ready_o && start_valid_i) index_q <= start_address_i[39:SizeBits];
    else if (request) index_q <= index_q + IndexBits'(burst);
    if (request) begin
      request_index_q <= index_q;
      request_beats_q <= burst;
    end
  end

  assign rd_valid_o   = request_valid_q;
  assign rd_address_o = {request_index_q, SizeBits'(0)};
  assign rd_beats_o   = request_beats_q;

  // ---- data ------------------------------------------------------------------------------------
  logic fifo_ready;

  tt_fifo #(
    .Width   (8 * BeatBytes),
    .Depth   (FifoDepth),
    .RamStyle(RamStyle)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i(rd_data_valid_i),
    .ready_o(fifo_ready),
    .data_i (rd_data_i),
    .valid_o(beat_valid_o),
    .ready_i(beat_ready_i),
    .data_o (beat_data_o)
  );

  logic unused;
  assign unused = ^{fifo_ready, start_address_i[SizeBits-1:0]};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!rd_data_valid_i || fifo_ready);
    end
  end
`endif
endmodule

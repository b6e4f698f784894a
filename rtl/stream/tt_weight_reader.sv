/// Streams the weights of a job: AXI4 read master, one beat of data a beat of weights.
///
/// A job of tiles * blocks beats from a byte address is read by INCR bursts of up to 16 beats. A
/// burst ends at a multiple of 16 beats, so none crosses 4 KiB. A burst is requested only when the
/// beat FIFO has room for all of it, so R is always ready. Jobs follow each other without a gap:
/// the next one is requested while the beats of the last are still on their way.
module tt_weight_reader #(
  /// Bytes of a beat: 8, 16, 32, 64 or 128.
  parameter int unsigned BeatBytes = 64,
  /// Beats that the beat FIFO holds, a power of two, at least 16.
  parameter int unsigned FifoDepth = 128
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no job, FIFO empty. Reset the memory with it.
  input  logic                   rst_ni,
  /// A job is offered.
  input  logic                   job_valid_i,
  /// The job is taken: every request of the job before it has been made.
  output logic                   job_ready_o,
  /// Byte address of the first beat, a multiple of BeatBytes.
  input  logic [63:0]            job_address_i,
  /// Tiles of the job, at least 1.
  input  logic [15:0]            job_tiles_i,
  /// Blocks of the job, at least 1.
  input  logic [15:0]            job_blocks_i,
  /// AXI4 read address channel.
  output logic                   m_axi_arvalid_o,
  /// AXI4 read address channel.
  input  logic                   m_axi_arready_i,
  /// Byte address of the burst.
  output logic [63:0]            m_axi_araddr_o,
  /// Beats of the burst less one, 0..15.
  output logic [7:0]             m_axi_arlen_o,
  /// Constant: BeatBytes a transfer.
  output logic [2:0]             m_axi_arsize_o,
  /// Constant: INCR.
  output logic [1:0]             m_axi_arburst_o,
  /// AXI4 read data channel.
  input  logic                   m_axi_rvalid_i,
  /// Constant: always ready.
  output logic                   m_axi_rready_o,
  /// Data of a beat.
  input  logic [8*BeatBytes-1:0] m_axi_rdata_i,
  /// Response; other than OKAY raises error_o.
  input  logic [1:0]             m_axi_rresp_i,
  /// End of a burst; not needed.
  input  logic                   m_axi_rlast_i,
  /// A beat is at the output, in stream order.
  output logic                   beat_valid_o,
  /// The beat is taken at the end of this cycle.
  input  logic                   beat_ready_i,
  /// The beat; holds until taken.
  output logic [8*BeatBytes-1:0] beat_data_o,
  /// A pulse for each beat whose response was not OKAY; its data are passed on as they came.
  output logic                   error_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned IndexBits = 64 - SizeBits;  // address of a beat in memory
  localparam int unsigned BurstBits = 5;              // 1..16 beats
  localparam int unsigned RoomBits  = $clog2(FifoDepth + 1);
  localparam logic [BurstBits-1:0] MaxBurst = 5'd16;

  if (BeatBytes < 8 || BeatBytes > 128 || 2 ** SizeBits != BeatBytes) begin : gen_bad_bytes
    $fatal(1, "tt_weight_reader: BeatBytes must be 8, 16, 32, 64 or 128");
  end
  if (FifoDepth < 16) begin : gen_bad_depth
    $fatal(1, "tt_weight_reader: FifoDepth must be at least 16");
  end

  // ---- requests --------------------------------------------------------------------------------
  logic [IndexBits-1:0] index_q, request_index_q;
  logic [31:0]          left_q;  // beats not requested; 2,048 tiles x 4,369 blocks fit 24 bits
  logic [BurstBits-1:0] to_boundary, burst;
  logic [3:0]           request_length_q;
  logic [RoomBits-1:0]  room_q;  // places of the FIFO that no beat has and no request claims
  logic                 request_valid_q, request, beat_taken;

  assign to_boundary = MaxBurst - BurstBits'(index_q[3:0]);
  assign burst       = left_q < 32'(to_boundary) ? left_q[BurstBits-1:0] : to_boundary;
  assign request     = left_q != '0 && 32'(room_q) >= 32'(burst)
                       && (!request_valid_q || m_axi_arready_i);
  assign job_ready_o = left_q == '0;
  assign beat_taken  = beat_valid_o & beat_ready_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q          <= '0;
      room_q          <= RoomBits'(FifoDepth);
      request_valid_q <= 1'b0;
    end else begin
      if (job_ready_o && job_valid_i) left_q <= 32'(job_tiles_i) * 32'(job_blocks_i);
      else if (request) left_q <= left_q - 32'(burst);
      room_q <= room_q + RoomBits'(beat_taken) - (request ? RoomBits'(burst) : '0);
      if (request) request_valid_q <= 1'b1;
      else if (m_axi_arready_i) request_valid_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (job_ready_o) index_q <= job_address_i[63:SizeBits];
    else if (request) index_q <= index_q + IndexBits'(burst);
    if (request) begin
      request_index_q  <= index_q;
      request_length_q <= 4'(burst - 1'b1);
    end
  end

  assign m_axi_arvalid_o = request_valid_q;
  assign m_axi_araddr_o  = {request_index_q, SizeBits'(0)};
  assign m_axi_arlen_o   = 8'(request_length_q);
  assign m_axi_arsize_o  = 3'(SizeBits);
  assign m_axi_arburst_o = 2'b01;

  // ---- data ------------------------------------------------------------------------------------
  logic fifo_ready;

  tt_fifo #(
    .Width   (8 * BeatBytes),
    .Depth   (FifoDepth),
    .RamStyle("block")
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i(m_axi_rvalid_i),
    .ready_o(fifo_ready),
    .data_i (m_axi_rdata_i),
    .valid_o(beat_valid_o),
    .ready_i(beat_ready_i),
    .data_o (beat_data_o)
  );

  assign m_axi_rready_o = 1'b1;
  assign error_o        = m_axi_rvalid_i & (m_axi_rresp_i != 2'b00);

  logic unused;
  assign unused = ^{m_axi_rlast_i, fifo_ready, job_address_i[SizeBits-1:0]};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!m_axi_rvalid_i || fifo_ready);
      assert (!m_axi_arvalid_o || {1'b0, m_axi_araddr_o[11:0]} + (13'(m_axi_arlen_o) << SizeBits)
              < 13'd4096);
    end
  end
`endif
endmodule

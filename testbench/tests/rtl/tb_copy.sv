/// A unit with a read client and a write client, for the tests of the testbench's memories: copies
/// runs of beats. Every byte is written, or every second one.
module tb_copy #(
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 16
) (
  /// Clock.
  input  logic                   clk_i,
  /// Reset, active low.
  input  logic                   rst_ni,
  /// A copy is wanted.
  input  logic                   start_valid_i,
  /// The copy begins.
  output logic                   start_ready_o,
  /// First beat to read.
  input  logic [39:0]            source_i,
  /// First beat to write.
  input  logic [39:0]            target_i,
  /// Beats.
  input  logic [31:0]            beats_i,
  /// Only the even bytes are written.
  input  logic                   even_i,
  /// Breaks the rule of requests: the address changes while it waits.
  input  logic                   cheat_i,
  /// Copies that are in memory.
  output logic [31:0]            copies_o,
  /// Read client.
  output logic                   rd_valid_o,
  /// Read client.
  input  logic                   rd_ready_i,
  /// Read client.
  output logic [39:0]            rd_address_o,
  /// Read client.
  output logic [4:0]             rd_beats_o,
  /// Read client.
  input  logic                   rd_data_valid_i,
  /// Read client.
  input  logic [8*BeatBytes-1:0] rd_data_i,
  /// Write client.
  output logic                   wr_valid_o,
  /// Write client.
  input  logic                   wr_ready_i,
  /// Write client.
  output logic [39:0]            wr_address_o,
  /// Write client.
  output logic [4:0]             wr_beats_o,
  /// Write client.
  output logic                   wr_data_valid_o,
  /// Write client.
  input  logic                   wr_data_ready_i,
  /// Write client.
  output logic [8*BeatBytes-1:0] wr_data_o,
  /// Write client.
  output logic [BeatBytes-1:0]   wr_strobe_o,
  /// Write client.
  input  logic                   wr_done_i
);
  localparam int unsigned SizeBits = $clog2(BeatBytes);

  logic        busy_q, request_q, reader_ready, beat_valid;
  logic [39:0] address_q, address;
  logic [31:0] left_q, moving_q, unanswered_q;
  logic [4:0]  boundary, burst;
  logic [15:0] noise_q;

  assign start_ready_o = !busy_q && reader_ready;

  tt_beat_reader #(.BeatBytes(BeatBytes)) u_reader (
    .clk_i,
    .rst_ni,
    .start_valid_i  (start_valid_i && !busy_q),
    .start_ready_o  (reader_ready),
    .start_address_i(source_i),
    .start_beats_i  (beats_i),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o   (address),
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .beat_valid_o   (beat_valid),
    .beat_ready_i   (wr_data_ready_i && moving_q != '0),
    .beat_data_o    (wr_data_o)
  );

  assign rd_address_o    = address ^ (cheat_i && noise_q[0] ? 40'(BeatBytes) : '0);
  assign boundary        = 5'd16 - 5'(address_q[SizeBits +: 4]);
  assign burst           = left_q < 32'(boundary) ? left_q[4:0] : boundary;
  assign wr_valid_o      = request_q;
  assign wr_address_o    = address_q;
  assign wr_beats_o      = burst;
  assign wr_data_valid_o = beat_valid && moving_q != '0;
  assign wr_strobe_o     = even_i ? {BeatBytes / 2{2'b01}} : '1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q       <= 1'b0;
      request_q    <= 1'b0;
      left_q       <= '0;
      moving_q     <= '0;
      unanswered_q <= '0;
      copies_o     <= '0;
      noise_q      <= 16'hace1;
    end else begin
      noise_q <= {noise_q[14:0], noise_q[15] ^ noise_q[13] ^ noise_q[12] ^ noise_q[10]};
      if (start_valid_i && start_ready_o) begin
        busy_q       <= 1'b1;
        request_q    <= 1'b1;
        address_q    <= target_i;
        left_q       <= beats_i;
        moving_q     <= beats_i;
        unanswered_q <= '0;
      end else begin
        if (wr_valid_o && wr_ready_i) begin
          left_q    <= left_q - 32'(burst);
          address_q <= address_q + 40'(burst) * 40'(BeatBytes);
          request_q <= left_q != 32'(burst);
        end
        if (wr_data_valid_o && wr_data_ready_i) moving_q <= moving_q - 1'b1;
        unanswered_q <= unanswered_q + 32'(wr_valid_o && wr_ready_i) - 32'(wr_done_i);
        if (busy_q && left_q == '0 && moving_q == '0 && unanswered_q == '0) begin
          busy_q   <= 1'b0;
          copies_o <= copies_o + 1'b1;
        end
      end
    end
  end
endmodule

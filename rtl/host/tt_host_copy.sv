/// Copies bytes between host memory and a region of card memory.
///
///   to the card    host AR, R  ─► FIFO ─► write client of tt_memory
///   to the host    read client ─► FIFO ─► host AW, W, B
///
/// A walk ahead asks for pieces as long as the FIFO has room for all of their beats, a walk behind
/// writes those whose beats have all arrived: a write that has begun never waits for its data. Up to
/// Bursts writes wait for their answers.
module tt_host_copy #(
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 16,
  /// Beats that may be on their way, a power of two, at least 32: the latency of host memory in
  /// cycles, for a beat a cycle.
  parameter int unsigned Depth = 512,
  /// Writes that may wait for their answers.
  parameter int unsigned Bursts = 32
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no copy. Reset the memories with it.
  input  logic                   rst_ni,
  /// A copy begins; only when none runs.
  input  logic                   start_i,
  /// It goes to the card. This and the next three hold until done_o.
  input  logic                   to_card_i,
  /// Address in host memory, a multiple of BeatBytes.
  input  logic [63:0]            host_i,
  /// Offset in the region, a multiple of BeatBytes.
  input  logic [38:0]            card_i,
  /// Beats, at least 1.
  input  logic [26:0]            beats_i,
  /// No new piece is read; what has been read is written.
  input  logic                   stop_i,
  /// The copy is over, for one cycle: nothing of it is on its way.
  output logic                   done_o,
  /// How it ended; with done_o.
  output tt_host_regs_pkg::host_status_e_e status_o,
  /// CRC-32C of the bytes; with done_o.
  output logic [31:0]            crc_o,
  /// A handshake on one of the buses.
  output logic                   progress_o,

  /// Host memory, AXI4, read address.
  output logic                   host_arvalid_o,
  /// Host memory.
  input  logic                   host_arready_i,
  /// Host memory: byte address of the burst.
  output logic [63:0]            host_araddr_o,
  /// Host memory: beats less one, 0..15.
  output logic [7:0]             host_arlen_o,
  /// Host memory: a beat; taken while a copy runs.
  input  logic                   host_rvalid_i,
  /// Host memory.
  input  logic [8*BeatBytes-1:0] host_rdata_i,
  /// Host memory: other than OKAY ends the copy.
  input  logic [1:0]             host_rresp_i,
  /// Host memory, AXI4, write address.
  output logic                   host_awvalid_o,
  /// Host memory.
  input  logic                   host_awready_i,
  /// Host memory: byte address of the burst.
  output logic [63:0]            host_awaddr_o,
  /// Host memory: beats less one, 0..15.
  output logic [7:0]             host_awlen_o,
  /// Host memory: data; all bytes are written.
  output logic                   host_wvalid_o,
  /// Host memory.
  input  logic                   host_wready_i,
  /// Host memory.
  output logic [8*BeatBytes-1:0] host_wdata_o,
  /// Host memory.
  output logic                   host_wlast_o,
  /// Host memory: an answer; taken while a copy runs.
  input  logic                   host_bvalid_i,
  /// Host memory: other than OKAY ends the copy.
  input  logic [1:0]             host_bresp_i,

  /// Card memory, a read client of tt_memory. Addresses have bit 39 set.
  output logic                   rd_valid_o,
  /// Card memory.
  input  logic                   rd_ready_i,
  /// Card memory.
  output logic [39:0]            rd_address_o,
  /// Card memory.
  output logic [4:0]             rd_beats_o,
  /// Card memory.
  input  logic                   rd_data_valid_i,
  /// Card memory.
  input  logic [8*BeatBytes-1:0] rd_data_i,
  /// Card memory, a write client of tt_memory. Addresses have bit 39 set.
  output logic                   wr_valid_o,
  /// Card memory.
  input  logic                   wr_ready_i,
  /// Card memory.
  output logic [39:0]            wr_address_o,
  /// Card memory.
  output logic [4:0]             wr_beats_o,
  /// Card memory.
  output logic                   wr_data_valid_o,
  /// Card memory.
  input  logic                   wr_data_ready_i,
  /// Card memory; all bytes are written.
  output logic [8*BeatBytes-1:0] wr_data_o,
  /// Card memory.
  input  logic                   wr_done_i,
  /// Card memory: an access failed; with or before its data or answer.
  input  logic                   memory_error_i
);
  localparam int unsigned RoomBits = $clog2(Depth + 1);
  localparam int unsigned OpenBits = $clog2(Bursts + 1);

  if (Depth < 32) begin : gen_bad_depth
    $fatal(1, "tt_host_copy: Depth must be a power of two and at least 32");
  end

  // ---- reads -----------------------------------------------------------------------------------
  logic                run_q, halt, ahead_valid, read, read_valid_q, read_ready, pop;
  logic [63:0]         ahead_host, read_host_q;
  logic [38:0]         ahead_card, read_card_q;
  logic [4:0]          ahead_beats, read_beats_q;
  logic [RoomBits-1:0] room_q;  // places of the FIFO that no beat has and no read claims

  tt_host_walk #(.BeatBytes(BeatBytes)) u_ahead (
    .clk_i,
    .rst_ni,
    .start_i,
    .host_i,
    .card_i,
    .beats_i,
    .valid_o(ahead_valid),
    .take_i (read),
    .host_o (ahead_host),
    .card_o (ahead_card),
    .beats_o(ahead_beats)
  );

  assign read_ready = to_card_i ? host_arready_i : rd_ready_i;
  assign read       = run_q & ahead_valid & ~halt & (32'(room_q) >= 32'(ahead_beats))
                      & (~read_valid_q | read_ready);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_valid_q <= 1'b0;
      room_q       <= RoomBits'(Depth);
    end else begin
      read_valid_q <= read | (read_valid_q & ~read_ready);
      room_q       <= room_q + RoomBits'(pop) - (read ? RoomBits'(ahead_beats) : '0);
    end
  end

  always_ff @(posedge clk_i) begin
    if (read) begin
      read_host_q  <= ahead_host;
      read_card_q  <= ahead_card;
      read_beats_q <= ahead_beats;
    end
  end

  assign host_arvalid_o = read_valid_q & to_card_i;
  assign host_araddr_o  = read_host_q;
  assign host_arlen_o   = 8'(read_beats_q - 1'b1);
  assign rd_valid_o     = read_valid_q & ~to_card_i;
  assign rd_address_o   = {1'b1, read_card_q};
  assign rd_beats_o     = read_beats_q;

  // ---- beats -----------------------------------------------------------------------------------
  logic                   in_valid, in_valid_q, in_ready, out_valid;
  logic [8*BeatBytes-1:0] in_q, out;

  assign in_valid = run_q & (to_card_i ? host_rvalid_i : rd_data_valid_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) in_valid_q <= 1'b0;
    else in_valid_q <= in_valid;
  end

  always_ff @(posedge clk_i) begin
    if (in_valid) in_q <= to_card_i ? host_rdata_i : rd_data_i;
  end

  tt_fifo #(
    .Width   (8 * BeatBytes),
    .Depth   (Depth),
    .RamStyle("block")
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i(in_valid_q),
    .ready_o(in_ready),
    .data_i (in_q),
    .valid_o(out_valid),
    .ready_i(pop),
    .data_o (out)
  );

  tt_crc32c #(.Bytes(BeatBytes)) u_crc (
    .clk_i,
    .clear_i(start_i),
    .valid_i(in_valid_q),
    .data_i (in_q),
    .crc_o
  );

  // ---- writes ----------------------------------------------------------------------------------
  logic                behind_valid, write, write_valid_q, write_ready, last, answer;
  logic [63:0]         behind_host, write_host_q;
  logic [38:0]         behind_card, write_card_q;
  logic [4:0]          behind_beats, write_beats_q, left_q;  // left: of the burst to the host
  logic [RoomBits-1:0] arrived_q;  // beats that no write has claimed
  logic [OpenBits-1:0] open_q;     // writes without answer

  tt_host_walk #(.BeatBytes(BeatBytes)) u_behind (
    .clk_i,
    .rst_ni,
    .start_i,
    .host_i,
    .card_i,
    .beats_i,
    .valid_o(behind_valid),
    .take_i (write),
    .host_o (behind_host),
    .card_o (behind_card),
    .beats_o(behind_beats)
  );

  assign write_ready = to_card_i ? wr_ready_i : host_awready_i;
  assign last        = left_q == '0 || (left_q == 5'd1 && pop);
  assign write       = run_q & behind_valid & (32'(arrived_q) >= 32'(behind_beats))
                       & (~write_valid_q | write_ready) & (to_card_i | last)
                       & (open_q != OpenBits'(Bursts));
  assign pop         = out_valid & (to_card_i ? wr_data_ready_i : (left_q != '0 & host_wready_i));
  assign answer      = run_q & (to_card_i ? wr_done_i : host_bvalid_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_valid_q <= 1'b0;
      left_q        <= '0;
      arrived_q     <= '0;
      open_q        <= '0;
    end else begin
      write_valid_q <= write | (write_valid_q & ~write_ready);
      arrived_q     <= arrived_q + RoomBits'(in_valid_q) - (write ? RoomBits'(behind_beats) : '0);
      open_q        <= open_q + OpenBits'(write) - OpenBits'(answer);
      if (write && !to_card_i) left_q <= behind_beats;
      else if (pop && !to_card_i) left_q <= left_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (write) begin
      write_host_q  <= behind_host;
      write_card_q  <= behind_card;
      write_beats_q <= behind_beats;
    end
  end

  assign host_awvalid_o  = write_valid_q & ~to_card_i;
  assign host_awaddr_o   = write_host_q;
  assign host_awlen_o    = 8'(write_beats_q - 1'b1);
  assign host_wvalid_o   = out_valid & ~to_card_i & (left_q != '0);
  assign host_wdata_o    = out;
  assign host_wlast_o    = left_q == 5'd1;
  assign wr_valid_o      = write_valid_q & to_card_i;
  assign wr_address_o    = {1'b1, write_card_q};
  assign wr_beats_o      = write_beats_q;
  assign wr_data_valid_o = out_valid & to_card_i;
  assign wr_data_o       = out;

  // ---- the end ---------------------------------------------------------------------------------
  tt_host_regs_pkg::host_status_e_e status_q;

  assign halt       = stop_i | (status_q != tt_host_regs_pkg::host_status_e__ok);
  assign done_o     = run_q & (~ahead_valid | halt) & ~read_valid_q & (open_q == '0)
                      & (room_q == RoomBits'(Depth));
  assign status_o   = status_q;
  assign progress_o = in_valid | pop | answer | (read_valid_q & read_ready)
                      | (write_valid_q & write_ready);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q    <= 1'b0;
      status_q <= tt_host_regs_pkg::host_status_e__ok;
    end else begin
      run_q <= start_i | (run_q & ~done_o);
      if (start_i) status_q <= tt_host_regs_pkg::host_status_e__ok;
      else if (!halt) begin
        if (run_q && memory_error_i) status_q <= tt_host_regs_pkg::host_status_e__memory;
        else if (in_valid && to_card_i && host_rresp_i != 2'b00) begin
          status_q <= tt_host_regs_pkg::host_status_e__host_read;
        end else if (answer && !to_card_i && host_bresp_i != 2'b00) begin
          status_q <= tt_host_regs_pkg::host_status_e__host_write;
        end
      end
    end
  end

  logic unused;
  assign unused = in_ready;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!in_valid_q || in_ready);
    end
  end
`endif
endmodule

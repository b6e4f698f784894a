/// The rings in host memory: fetches submission entries, writes completions, one at a time.
module tt_host_ring #(
  /// Bytes of a beat, a power of two, 16..128.
  parameter int unsigned BeatBytes = 16,
  /// Most that the bits of a ring may be, at most 12.
  parameter int unsigned RingBits = 10
) (
  /// Clock.
  input  logic                     clk_i,
  /// Asynchronous reset, active low: nothing is asked for.
  input  logic                     rst_ni,
  /// Where the rings are.
  input  tt_host_pkg::rings_t      rings_i,
  /// Entries that the host has written.
  input  logic [31:0]              tail_i,
  /// Entries completed; holds from fetch_i to fetched_o and from complete_i to completed_o.
  input  logic [31:0]              head_i,
  /// The rings are what they must be; a cycle after the registers.
  output logic                     good_o,

  /// Fetch the entry at head_i.
  input  logic                     fetch_i,
  /// It is there, for one cycle.
  output logic                     fetched_o,
  /// The entry; holds until the next fetch.
  output tt_host_pkg::entry_t      entry_o,
  /// Write the completion of the entry at head_i. This and the next two hold until completed_o.
  input  logic                     complete_i,
  /// Its status.
  input  tt_host_regs_pkg::host_status_e_e status_i,
  /// Its info.
  input  logic [31:0]              info_i,
  /// It is in host memory, for one cycle.
  output logic                     completed_o,
  /// The bus answered by other than OKAY; with fetched_o or completed_o.
  output logic                     error_o,
  /// A handshake on the bus.
  output logic                     progress_o,

  /// Host memory, AXI4, read address.
  output logic                     arvalid_o,
  /// Host memory.
  input  logic                     arready_i,
  /// Host memory: byte address.
  output logic [63:0]              araddr_o,
  /// Host memory: beats less one; constant.
  output logic [7:0]               arlen_o,
  /// Host memory: a beat; taken while an entry is fetched.
  input  logic                     rvalid_i,
  /// Host memory.
  input  logic [8*BeatBytes-1:0]   rdata_i,
  /// Host memory.
  input  logic [1:0]               rresp_i,
  /// Host memory, AXI4, write address; bursts of one beat.
  output logic                     awvalid_o,
  /// Host memory.
  input  logic                     awready_i,
  /// Host memory: byte address of the beat.
  output logic [63:0]              awaddr_o,
  /// Host memory: data.
  output logic                     wvalid_o,
  /// Host memory.
  input  logic                     wready_i,
  /// Host memory.
  output logic [8*BeatBytes-1:0]   wdata_o,
  /// Host memory: the 16 bytes of the completion.
  output logic [BeatBytes-1:0]     wstrb_o,
  /// Host memory: an answer; taken while a completion is written.
  input  logic                     bvalid_i,
  /// Host memory.
  input  logic [1:0]               bresp_i
);
  localparam int unsigned SizeBits   = $clog2(BeatBytes);
  localparam int unsigned FetchBeats = BeatBytes < 64 ? 64 / BeatBytes : 1;
  localparam int unsigned Wide       = BeatBytes > 64 ? 8 * BeatBytes : 512;

  if (RingBits < 1 || RingBits > 12) begin : gen_bad_ring
    $fatal(1, "tt_host_ring: RingBits must be 1..12");
  end

  // ---- places ----------------------------------------------------------------------------------
  logic [12:0]         entries;  // of a ring
  logic [RingBits-1:0] index;
  logic [31:0]         ahead;
  logic                phase, good_q;

  assign entries = 13'd1 << rings_i.bits[3:0];
  assign index   = head_i[RingBits-1:0] & RingBits'(entries - 13'd1);
  assign ahead   = tail_i - head_i;
  assign phase   = ~head_i[rings_i.bits[4:0]];

  always_ff @(posedge clk_i) begin
    good_q <= rings_i.submit[11:0] == '0 && rings_i.complete[11:0] == '0 && rings_i.bits != '0
              && rings_i.bits <= 8'(RingBits) && ahead <= 32'(entries);
  end
  assign good_o = good_q;

  // ---- entries ---------------------------------------------------------------------------------
  logic            arvalid_q, fetching_q, bad_q, take, last;
  logic [63:0]     araddr_q;
  logic [1:0]      beat_q;
  logic [Wide-1:0] entry_q, gathered;

  assign take = rvalid_i & fetching_q;
  assign last = beat_q == 2'(FetchBeats - 1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arvalid_q  <= 1'b0;
      fetching_q <= 1'b0;
      beat_q     <= '0;
      fetched_o  <= 1'b0;
    end else begin
      arvalid_q  <= fetch_i | (arvalid_q & ~arready_i);
      fetching_q <= fetch_i | (fetching_q & ~(take & last));
      fetched_o  <= take & last;
      if (take) beat_q <= last ? '0 : beat_q + 1'b1;
    end
  end

  // Beat by beat from above, so that the first one ends up lowest.
  if (FetchBeats > 1) begin : gen_gather
    assign gathered = {rdata_i, entry_q[Wide-1:8*BeatBytes]};
  end else begin : gen_whole
    assign gathered = rdata_i;
  end

  always_ff @(posedge clk_i) begin
    if (fetch_i) araddr_q <= rings_i.submit + {(58 - RingBits)'(0), index, 6'b0};
    if (take) begin
      entry_q <= gathered;
      bad_q   <= (beat_q != '0 & bad_q) | (rresp_i != 2'b00);
    end
  end

  assign arvalid_o = arvalid_q;
  assign araddr_o  = {araddr_q[63:SizeBits], SizeBits'(0)};
  assign arlen_o   = 8'(FetchBeats - 1);
  assign entry_o   = tt_host_pkg::EntryBits'(entry_q >> (Wide > 512 && araddr_q[6] ? 512 : 0));

  // ---- completions -----------------------------------------------------------------------------
  logic         awvalid_q, wvalid_q, open_q, bad_answer_q, answer;
  logic [63:0]  awaddr_q;
  logic [127:0] completion_q;

  assign answer = bvalid_i & open_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      awvalid_q   <= 1'b0;
      wvalid_q    <= 1'b0;
      open_q      <= 1'b0;
      completed_o <= 1'b0;
    end else begin
      awvalid_q   <= complete_i | (awvalid_q & ~awready_i);
      wvalid_q    <= complete_i | (wvalid_q & ~wready_i);
      open_q      <= complete_i | (open_q & ~answer);
      completed_o <= answer;
    end
  end

  always_ff @(posedge clk_i) begin
    if (complete_i) begin
      awaddr_q     <= rings_i.complete + {(60 - RingBits)'(0), index, 4'b0};
      completion_q <= {phase, 27'b0, status_i, head_i + 1'b1, info_i, entry_o.tag};
    end
    if (answer) bad_answer_q <= bresp_i != 2'b00;
  end

  assign awvalid_o  = awvalid_q;
  assign awaddr_o   = {awaddr_q[63:SizeBits], SizeBits'(0)};
  assign wvalid_o   = wvalid_q;
  assign wdata_o    = {BeatBytes / 16{completion_q}};
  assign wstrb_o    = BeatBytes'(16'hffff) << {awaddr_q[7:4] & 4'(BeatBytes / 16 - 1), 4'b0};
  assign error_o    = (fetched_o & bad_q) | (completed_o & bad_answer_q);
  assign progress_o = (arvalid_q & arready_i) | take | (awvalid_q & awready_i)
                      | (wvalid_q & wready_i) | answer;

  logic unused;
  assign unused = ^{araddr_q[SizeBits-1:0], awaddr_q[SizeBits-1:0]};
endmodule

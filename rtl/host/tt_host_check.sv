/// Checks a copy before anything moves, and finds its region. Takes five cycles.
///
/// In the order of docs/host-interface.md: size, address, range. A copy that runs over the end of the
/// host's address space is refused like one that is not mapped there.
module tt_host_check #(
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 16,
  /// Physical address of card memory.
  parameter logic [63:0] MemoryBase = '0,
  /// Bytes of card memory.
  parameter logic [63:0] MemoryBytes = '0
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                   rst_ni,
  /// A check begins.
  input  logic                   start_i,
  /// The entry, a copy; holds until the end.
  input  tt_host_pkg::entry_t    entry_i,
  /// The regions of card memory.
  input  tt_card_pkg::regions_t  regions_i,
  /// Bytes of the image that may be written.
  input  logic [63:0]            load_i,
  /// The check is over, for one cycle.
  output logic                   done_o,
  /// What it found; with done_o.
  output tt_host_regs_pkg::host_status_e_e status_o,
  /// Physical address of the region, a multiple of a block; holds until the next check.
  output logic [63:0]            base_o,
  /// Bytes of the region, whole blocks; holds until the next check.
  output logic [63:0]            bytes_o
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned BlockBits = SizeBits + 4;
  localparam logic [64:0] MemoryEnd = {1'b0, MemoryBase} + {1'b0, MemoryBytes};

  logic        state, to_card, size_bad, address_bad;
  logic [3:0]  step_q;  // step i runs
  logic        inside_q, over_q;
  logic [63:0] limit_q;
  logic [64:0] end_q, last_q;  // the ends of the region and of the copy in host memory
  logic [40:0] copy_end_q;     // the end of the copy in its region

  assign state       = entry_i.card[39];
  assign to_card     = entry_i.opcode == tt_host_pkg::OpToCard;
  assign size_bad    = entry_i.bytes == '0 || entry_i.bytes > 32'h4000_0000
                       || entry_i.bytes[SizeBits-1:0] != '0;
  assign address_bad = entry_i.host[SizeBits-1:0] != '0 || entry_i.card[SizeBits-1:0] != '0
                       || entry_i.card[63:40] != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) step_q <= '0;
    else step_q <= {step_q[2:0], start_i};
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      base_o     <= state ? regions_i.state_base : regions_i.image_base;
      bytes_o    <= state ? regions_i.state_bytes : regions_i.image_bytes;
      base_o[BlockBits-1:0]  <= '0;
      bytes_o[BlockBits-1:0] <= '0;
      copy_end_q <= 41'(entry_i.card[38:0]) + 41'(entry_i.bytes);
      last_q     <= {1'b0, entry_i.host} + 65'(entry_i.bytes);
    end
    if (step_q[0]) begin
      end_q   <= {1'b0, base_o} + {1'b0, bytes_o};
      limit_q <= to_card && !state && load_i < bytes_o ? load_i : bytes_o;
    end
    if (step_q[1]) inside_q <= base_o >= MemoryBase && end_q <= MemoryEnd;
    if (step_q[2]) over_q <= !inside_q || 64'(copy_end_q) > limit_q;
  end

  assign done_o = step_q[3];

  always_comb begin
    status_o = tt_host_regs_pkg::host_status_e__ok;
    if (size_bad) status_o = tt_host_regs_pkg::host_status_e__size;
    else if (address_bad) status_o = tt_host_regs_pkg::host_status_e__address;
    else if (over_q) status_o = tt_host_regs_pkg::host_status_e__range;
    else if (last_q[64]) begin
      status_o = to_card ? tt_host_regs_pkg::host_status_e__host_read
                         : tt_host_regs_pkg::host_status_e__host_write;
    end
  end

  logic unused;
  assign unused = ^{entry_i.tag, entry_i.crc, entry_i.check, entry_i.irq, entry_i.ignored,
                    entry_i.no_flags, last_q[63:0]};
endmodule

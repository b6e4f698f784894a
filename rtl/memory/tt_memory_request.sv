/// Picks a burst of one of several clients, checks it and finds its place in physical memory.
///
/// The clients take turns. If one of them is the stream, every second burst is its own while it
/// asks: it has at least half of the bursts, and nobody waits for more than one of its bursts and
/// one of every other client.
module tt_memory_request #(
  /// Clients.
  parameter int unsigned Clients = 4,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// The client that is the stream; Clients: none is.
  parameter int unsigned Stream = Clients,
  /// Bursts write: only the state region can be written.
  parameter bit          Write = 1'b0,
  /// Bits of a byte offset in a block of 16 beats.
  localparam int unsigned BlockBits = $clog2(BeatBytes) + 4
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no request.
  input  logic                   rst_ni,
  /// Physical byte address of the image; bits below a block do not count.
  input  logic [63:0]            image_base_i,
  /// Bytes of the image; only whole blocks count.
  input  logic [63:0]            image_bytes_i,
  /// Physical byte address of the state; bits below a block do not count.
  input  logic [63:0]            state_base_i,
  /// Bytes of the state; only whole blocks count.
  input  logic [63:0]            state_bytes_i,
  /// Nothing new is sent to memory.
  input  logic                   halt_i,
  /// Requests.
  input  logic [Clients-1:0]     valid_i,
  /// A request is taken: at most one bit.
  output logic [Clients-1:0]     ready_o,
  /// Byte addresses; bit 39: state, else image.
  input  logic [40*Clients-1:0]  address_i,
  /// Beats of the bursts, 1..16.
  input  logic [5*Clients-1:0]   beats_i,
  /// A burst is offered.
  output logic                   valid_o,
  /// The burst is taken.
  input  logic                   ready_i,
  /// Whose it is, one bit.
  output logic [Clients-1:0]     client_o,
  /// Its byte address as requested.
  output logic [39:0]            address_o,
  /// Its block in physical memory.
  output logic [63-BlockBits:0]  block_o,
  /// Its beats.
  output logic [4:0]             beats_o,
  /// It goes to memory; otherwise it is answered here.
  output logic                   send_o,
  /// A pulse as the burst is taken: why it is refused, or ErrorNone.
  output tt_memory_pkg::error_e  error_o
);
  localparam int unsigned SizeBits  = BlockBits - 4;
  localparam int unsigned IndexBits = 64 - BlockBits;
  localparam logic [Clients-1:0] StreamMask = Stream < Clients ? Clients'(1) << Stream : '0;

  // ---- whose turn ------------------------------------------------------------------------------
  logic [Clients-1:0] others, after, pick, other_grant, grant;
  logic [Clients-1:0] after_q;  // the clients after the last one of the others
  logic               stream_q;  // the last burst was the stream's
  logic               stream_wants, stream_grant, free, take;

  assign others       = valid_i & ~StreamMask;
  assign after        = others & after_q;
  assign pick         = after != '0 ? after : others;
  assign other_grant  = pick & (~pick + 1'b1);
  assign stream_wants = (valid_i & StreamMask) != '0;
  assign stream_grant = stream_wants & (others == '0 || !stream_q);
  assign grant        = stream_grant ? StreamMask : other_grant;
  assign free         = ~valid_o | ready_i;
  assign take         = free & (valid_i != '0);
  assign ready_o      = free ? grant : '0;

  logic [39:0] grant_address;
  logic [4:0]  grant_beats;
  always_comb begin
    grant_address = '0;
    grant_beats   = '0;
    for (int unsigned c = 0; c < Clients; c++) begin
      if (grant[c]) begin
        grant_address |= address_i[40*c +: 40];
        grant_beats   |= beats_i[5*c +: 5];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_o  <= 1'b0;
      after_q  <= '0;
      stream_q <= 1'b0;
    end else begin
      if (free) valid_o <= take;
      if (take) stream_q <= stream_grant;
      if (take && !stream_grant) after_q <= ~(grant | (grant - 1'b1));
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      client_o  <= grant;
      address_o <= grant_address;
      beats_o   <= grant_beats;
    end
  end

  // ---- where it goes ---------------------------------------------------------------------------
  logic                 state, allowed, shape, refused;
  logic [IndexBits-1:0] index, blocks, base;

  assign state   = address_o[39];
  assign index   = IndexBits'(address_o[38:BlockBits]);
  assign blocks  = state ? state_bytes_i[63:BlockBits] : image_bytes_i[63:BlockBits];
  assign base    = state ? state_base_i[63:BlockBits] : image_base_i[63:BlockBits];
  assign allowed  = index < blocks & (state | ~Write);
  assign shape   = address_o[SizeBits-1:0] == '0 && beats_o != '0
                   && 6'(address_o[SizeBits +: 4]) + 6'(beats_o) <= 6'd16;
  assign block_o = base + index;
  assign refused = ~allowed | ~shape;
  assign send_o  = ~refused & ~halt_i;

  always_comb begin
    error_o = tt_memory_pkg::ErrorNone;
    if (valid_o && ready_i && !halt_i) begin
      if (!shape) error_o = tt_memory_pkg::ErrorShape;
      else if (!allowed) error_o = Write ? tt_memory_pkg::ErrorWrite : tt_memory_pkg::ErrorRead;
    end
  end

  logic unused;
  assign unused = ^{image_base_i[BlockBits-1:0], image_bytes_i[BlockBits-1:0],
                    state_base_i[BlockBits-1:0], state_bytes_i[BlockBits-1:0]};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni && valid_o) begin
      assert (beats_o >= 5'd1 && beats_o <= 5'd16);
    end
  end
`endif
endmodule

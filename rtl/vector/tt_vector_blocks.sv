/// Packs words of Lanes bytes into blocks of buffer A.
///
/// A segment begins with a block. A word that reaches beyond the end of a block begins the next
/// one: what is left over moves to the front while the block is written.
module tt_vector_blocks #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Bytes of a word, a power of two.
  parameter int unsigned Lanes = 8,
  /// Bytes of a block, at least Lanes.
  parameter int unsigned BlockColumns = 45,
  /// Bits of an address of buffer A.
  parameter int unsigned AddressBits = 12
) (
  /// Clock.
  input  logic                      clk_i,
  /// Asynchronous reset, active low: nothing is to be written.
  input  logic                      rst_ni,
  /// Slots of the pass.
  input  logic [7:0]                slots_i,
  /// No block is whole any more.
  input  logic                      clear_i,
  /// A word comes.
  input  logic                      valid_i,
  /// It is the first of a segment.
  input  logic                      first_i,
  /// The slot.
  input  logic [7:0]                slot_i,
  /// The first block of the segment.
  input  logic [15:0]               block_i,
  /// The bytes.
  input  logic [8*Lanes-1:0]        data_i,
  /// A block is written.
  output logic                      write_o,
  /// Its word of buffer A: block * Slots + slot.
  output logic [AddressBits-1:0]    address_o,
  /// The block.
  output logic [8*BlockColumns-1:0] data_o,
  /// Blocks that were written for every slot since clear_i.
  output logic [15:0]               whole_o
);
  localparam int unsigned LaneBits = $clog2(Lanes);
  localparam int unsigned Bytes    = BlockColumns + Lanes - 1;
  localparam int unsigned FillBits = $clog2(Bytes + 1);

  logic [FillBits-1:0]     fill_q, fill, after;
  logic [15:0]             block_q, block;
  logic [8*Bytes-1:0]      buffer_q;
  logic [8*Lanes-1:0]      turned;
  logic                    full, write_q, last_slot_q;
  logic [AddressBits-1:0]  address_q;

  assign fill  = first_i ? '0 : fill_q;
  assign block = first_i ? block_i : block_q;
  assign after = fill + FillBits'(Lanes);
  assign full  = after >= FillBits'(BlockColumns);

  // Byte b of a word comes to a place that is congruent to fill + b: turn it there.
  always_comb begin
    for (int unsigned b = 0; b < Lanes; b++) begin
      turned[8*b+:8] = data_i[8*LaneBits'(LaneBits'(b)-fill[LaneBits-1:0])+:8];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) write_q <= 1'b0;
    else write_q <= valid_i & full;
  end

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      fill_q      <= full ? after - FillBits'(BlockColumns) : after;
      block_q     <= block + 16'(full);
      address_q   <= AddressBits'(32'(block) * Slots + 32'(slot_i));
      last_slot_q <= slot_i + 8'd1 == slots_i;
    end
  end

  // The last slot comes last, with every block or with all.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) whole_o <= '0;
    else if (clear_i) whole_o <= '0;
    else if (write_q && last_slot_q) whole_o <= whole_o + 16'd1;
  end

  for (genvar p = 0; p < Bytes; p++) begin : gen_bytes
    logic here;
    assign here = valid_i && FillBits'(p) >= fill && FillBits'(p) < after;
    if (p < Lanes - 1) begin : gen_front
      always_ff @(posedge clk_i) begin
        if (here) buffer_q[8*p+:8] <= turned[8*(p%Lanes)+:8];
        else if (write_q) buffer_q[8*p+:8] <= buffer_q[8*(BlockColumns+p)+:8];
      end
    end else begin : gen_rest
      always_ff @(posedge clk_i) begin
        if (here) buffer_q[8*p+:8] <= turned[8*(p%Lanes)+:8];
      end
    end
  end

  assign write_o   = write_q;
  assign address_o = address_q;
  assign data_o    = buffer_q[8*BlockColumns-1:0];
endmodule

/// The writing side of tt_transposer: one slot of a tile a cycle, turned to the banks of its rows.
///
/// What is taken in a cycle is in the banks three cycles later.
module tt_transposer_write #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Bits of a sum.
  parameter int unsigned AccBits = 24,
  /// Rows of a chunk of one plane.
  parameter int unsigned ChunkRows = 56,
  /// Banks, a power of two, at least Rows.
  parameter int unsigned Banks = 8,
  /// Bits of a row of a chunk.
  parameter int unsigned RowBits = 6,
  /// Bits of a slot.
  parameter int unsigned SlotBits = 4,
  /// Slots of a result word.
  localparam int unsigned TileSlots = Slots < 4 ? Slots : 4,
  /// Bits of an address of a bank: half, plane, slot, place.
  localparam int unsigned WordBits = 2 + SlotBits + RowBits - $clog2(Banks)
) (
  /// Clock.
  input  logic                              clk_i,
  /// Asynchronous reset, active low: at the start of a job.
  input  logic                              rst_ni,
  /// The job below is there and half of the banks is free.
  input  logic                              enable_i,
  /// Slots of the job.
  input  logic [7:0]                        slots_i,
  /// The job has two planes.
  input  logic                              two_planes_i,
  /// A result word is offered.
  input  logic                              res_valid_i,
  /// The word is taken.
  output logic                              res_ready_o,
  /// Sum i of slot lane l at index l * Rows + i.
  input  logic [AccBits*Rows*TileSlots-1:0] res_data_i,
  /// The word is the last of its job.
  input  logic                              res_last_i,
  /// A pulse: the last sums of a chunk are taken.
  output logic                              chunk_o,
  /// The chunk is the last of its job.
  output logic                              chunk_last_o,
  /// Rows of the chunk, of each plane.
  output logic [RowBits-1:0]                chunk_rows_o,
  /// All banks are written: rows that the tile does not have are zeros, which the next tile of the
  /// chunk overwrites.
  output logic                              write_o,
  /// Where.
  output logic [WordBits*Banks-1:0]         address_o,
  /// What.
  output logic [AccBits*Banks-1:0]          data_o
);
  localparam int unsigned BankBits  = $clog2(Banks);
  localparam int unsigned PlaceBits = RowBits - BankBits;
  localparam int unsigned LaneBits  = TileSlots > 1 ? $clog2(TileSlots) : 1;
  localparam int unsigned PartBits  = AccBits * Rows;

  // ---- cycle 0: one slot of the word -----------------------------------------------------------
  logic                half_q, plane_q, take, last_slot, last_lane;
  logic [SlotBits-1:0] slot_q;
  logic [LaneBits-1:0] lane_q;
  logic [RowBits-1:0]  row_q;  // first row of the tile
  logic [PartBits-1:0] part;

  assign take         = enable_i & res_valid_i;
  assign last_slot    = 8'(slot_q) + 8'd1 == slots_i;
  assign last_lane    = lane_q == LaneBits'(TileSlots - 1);
  assign res_ready_o  = enable_i & (last_slot | last_lane);
  assign chunk_rows_o = row_q + RowBits'(Rows);
  assign chunk_last_o = res_last_i;
  assign chunk_o      = take & last_slot
                        & (res_last_i | (plane_q == two_planes_i
                                         & chunk_rows_o == RowBits'(ChunkRows)));

  always_comb begin
    part = res_data_i[PartBits-1:0];
    for (int unsigned l = 1; l < TileSlots; l++) begin
      if (lane_q == LaneBits'(l)) part = res_data_i[PartBits*l +: PartBits];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      half_q  <= 1'b0;
      plane_q <= 1'b0;
      slot_q  <= '0;
      lane_q  <= '0;
      row_q   <= '0;
    end else if (take) begin
      slot_q <= last_slot ? '0 : slot_q + 1'b1;
      lane_q <= last_slot || last_lane ? '0 : lane_q + 1'b1;
      if (chunk_o) begin
        half_q  <= ~half_q;
        plane_q <= 1'b0;
        row_q   <= '0;
      end else if (last_slot) begin
        plane_q <= two_planes_i & ~plane_q;
        if (plane_q == two_planes_i) row_q <= chunk_rows_o;
      end
    end
  end

  // ---- cycle 1: turn ---------------------------------------------------------------------------
  logic                      take_q, part_half_q, part_plane_q;
  logic [SlotBits-1:0]       part_slot_q;
  logic [RowBits-1:0]        part_row_q;
  logic [PartBits-1:0]       part_q;
  logic [BankBits-1:0]       turn;
  logic [AccBits*Banks-1:0]  turned;
  logic [Banks-1:0]          below;  // the bank's row is in the next place
  logic [WordBits*Banks-1:0] address;

  always_ff @(posedge clk_i) begin
    if (take) begin
      part_half_q  <= half_q;
      part_plane_q <= plane_q;
      part_slot_q  <= slot_q;
      part_row_q   <= row_q;
      part_q       <= part;
    end
  end

  assign turn  = part_row_q[BankBits-1:0];
  assign below = ~({Banks{1'b1}} << turn);

  always_comb begin
    turned = (AccBits * Banks)'(part_q);
    for (int unsigned k = 0; k < BankBits; k++) begin
      if (turn[k]) begin
        turned = (turned << (AccBits << k)) | (turned >> (AccBits * (Banks - (1 << k))));
      end
    end
  end

  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    logic [PlaceBits-1:0] place;
    assign place = part_row_q[RowBits-1:BankBits] + PlaceBits'(below[b]);
    assign address[WordBits*b +: WordBits] = {part_half_q, part_plane_q, part_slot_q, place};
  end

  // ---- cycle 2: write --------------------------------------------------------------------------
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      take_q  <= 1'b0;
      write_o <= 1'b0;
    end else begin
      take_q  <= take;
      write_o <= take_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_q) begin
      address_o <= address;
      data_o    <= turned;
    end
  end
endmodule

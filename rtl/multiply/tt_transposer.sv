/// Turns the results of the TLMM, a tile of several slots a word, into words of Lanes rows of a slot.
///
/// A chunk is the fewest rows that are whole tiles and whole words: lcm(Rows, Lanes) of each plane.
/// One chunk is written, a slot of a tile a cycle, while the one before is read, a word a cycle:
/// slot by slot, word by word, plane by plane. The last chunk of a job ends with its last tile; rows
/// of its last word that no tile has are unspecified. With two planes, tiles alternate between them.
///
/// Row r of a chunk lies in bank r mod Banks, so the rows of a tile are in different banks, in at
/// most two places of them, and those of a word in one place.
module tt_transposer #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Rows of a word that leaves, a power of two.
  parameter int unsigned Lanes = 8,
  /// Bits of a sum.
  parameter int unsigned AccBits = 24,
  /// `ram_style` of the banks.
  parameter              Style = "block",
  /// Slots of a result word.
  localparam int unsigned TileSlots = Slots < 4 ? Slots : 4
) (
  /// Clock.
  input  logic                              clk_i,
  /// Asynchronous reset, active low: no job, nothing in the banks.
  input  logic                              rst_ni,
  /// A job is offered, before its first result.
  input  logic                              job_valid_i,
  /// The job is taken; depends on registers alone.
  output logic                              job_ready_o,
  /// Slots of the job, 1..Slots.
  input  logic [7:0]                        job_slots_i,
  /// The job has two planes.
  input  logic                              job_two_planes_i,
  /// Where its sums go; passed through.
  input  logic                              job_to_head_i,
  /// A result word is offered.
  input  logic                              res_valid_i,
  /// The word is taken.
  output logic                              res_ready_o,
  /// Sum i of slot lane l at index l * Rows + i.
  input  logic [AccBits*Rows*TileSlots-1:0] res_data_i,
  /// The word is the last of its job.
  input  logic                              res_last_i,
  /// Sums are at the output.
  output logic                              sums_valid_o,
  /// The sums are taken.
  input  logic                              sums_ready_i,
  /// The sums of Lanes rows; hold until taken.
  output logic [AccBits*Lanes-1:0]          sums_data_o,
  /// Their slot.
  output logic [7:0]                        sums_slot_o,
  /// They are the last of their job.
  output logic                              sums_last_o,
  /// Where they go.
  output logic                              sums_to_head_o,
  /// A job or sums are here.
  output logic                              busy_o
);
  localparam int unsigned Banks     = 2 ** $clog2(Rows > Lanes ? Rows : Lanes);
  localparam int unsigned BankBits  = $clog2(Banks);
  localparam int unsigned LaneBits  = $clog2(Lanes);
  // Rows of a chunk of one plane: lcm(Rows, Lanes), as Lanes is a power of two.
  localparam int unsigned Twos      = Rows & (~Rows + 1);
  localparam int unsigned Common    = Twos < Lanes ? Twos : Lanes;
  localparam int unsigned ChunkRows = Rows / Common * Lanes;
  localparam int unsigned RowBits   = $clog2(ChunkRows + Banks);
  localparam int unsigned PlaceBits = RowBits - BankBits;
  localparam int unsigned SlotBits  = Slots > 1 ? $clog2(Slots) : 1;
  // Half of the banks, plane, slot, place.
  localparam int unsigned WordBits  = 2 + SlotBits + PlaceBits;
  localparam int unsigned ChunkBits = RowBits + 11;

  if (2 ** LaneBits != Lanes) begin : gen_bad_lanes
    $fatal(1, "tt_transposer: Lanes must be a power of two");
  end

  // ---- jobs ------------------------------------------------------------------------------------
  logic       job_valid, job_next, two_planes, to_head;
  logic [7:0] slots;

  tt_fifo #(.Width(10), .Depth(8)) u_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(job_valid_i),
    .ready_o(job_ready_o),
    .data_i ({job_slots_i, job_two_planes_i, job_to_head_i}),
    .valid_o(job_valid),
    .ready_i(job_next),
    .data_o ({slots, two_planes, to_head})
  );

  // ---- writing ---------------------------------------------------------------------------------
  logic                      write;
  logic [WordBits*Banks-1:0] write_address;
  logic [AccBits*Banks-1:0]  write_data;
  logic [1:0]                chunks_q;  // chunks written and not read
  logic                      chunk, chunk_q, chunk_last, chunk_read;
  logic [RowBits-1:0]        chunk_rows;
  logic [ChunkBits-1:0]      chunk_data_q;

  tt_transposer_write #(
    .Slots    (Slots),
    .Rows     (Rows),
    .AccBits  (AccBits),
    .ChunkRows(ChunkRows),
    .Banks    (Banks),
    .RowBits  (RowBits),
    .SlotBits (SlotBits)
  ) u_write (
    .clk_i,
    .rst_ni,
    .enable_i    (job_valid & ~chunks_q[1]),
    .slots_i     (slots),
    .two_planes_i(two_planes),
    .res_valid_i,
    .res_ready_o,
    .res_data_i,
    .res_last_i,
    .chunk_o     (chunk),
    .chunk_last_o(chunk_last),
    .chunk_rows_o(chunk_rows),
    .write_o     (write),
    .address_o   (write_address),
    .data_o      (write_data)
  );
  assign job_next = chunk & chunk_last;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      chunks_q <= '0;
      chunk_q  <= 1'b0;
    end else begin
      chunks_q <= chunks_q + 2'(chunk) - 2'(chunk_read);
      chunk_q  <= chunk;
    end
  end

  always_ff @(posedge clk_i) begin
    if (chunk) chunk_data_q <= {slots, two_planes, to_head, chunk_last, chunk_rows};
  end

  // ---- chunks that wait: the last write of one is done when it is at the output ----------------
  logic               head_valid, head_two_planes, head_to_head, head_last, fifo_ready;
  logic [7:0]         head_slots;
  logic [RowBits-1:0] head_rows;

  tt_fifo #(.Width(ChunkBits), .Depth(2)) u_chunks (
    .clk_i,
    .rst_ni,
    .valid_i(chunk_q),
    .ready_o(fifo_ready),
    .data_i (chunk_data_q),
    .valid_o(head_valid),
    .ready_i(chunk_read),
    .data_o ({head_slots, head_two_planes, head_to_head, head_last, head_rows})
  );

  // ---- reading ---------------------------------------------------------------------------------
  logic                      half_q, plane_q, last_plane, last_word, read;
  logic [7:0]                slot_q;
  logic [RowBits-1:0]        row_q;  // first row of the word
  logic [WordBits-1:0]       read_address;
  logic [AccBits*Banks-1:0]  read_data;

  assign read         = head_valid & (~sums_valid_o | sums_ready_i);
  assign last_plane   = plane_q == head_two_planes;
  assign last_word    = row_q + RowBits'(Lanes) >= head_rows;
  assign chunk_read   = read && last_plane && last_word && slot_q + 8'd1 == head_slots;
  assign read_address = {half_q, plane_q, slot_q[SlotBits-1:0], row_q[RowBits-1:BankBits]};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sums_valid_o <= 1'b0;
      half_q       <= 1'b0;
      plane_q      <= 1'b0;
      slot_q       <= '0;
      row_q        <= '0;
    end else begin
      if (read) sums_valid_o <= 1'b1;
      else if (sums_ready_i) sums_valid_o <= 1'b0;
      if (read) plane_q <= ~last_plane;
      if (read && last_plane) begin
        row_q <= last_word ? '0 : row_q + RowBits'(Lanes);
        if (last_word) slot_q <= chunk_read ? '0 : slot_q + 1'b1;
      end
      if (chunk_read) half_q <= ~half_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (read) begin
      sums_slot_o    <= slot_q;
      sums_last_o    <= chunk_read & head_last;
      sums_to_head_o <= head_to_head;
    end
  end

  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    tt_ram #(
      .Width(AccBits),
      .Depth(2 ** WordBits),
      .Style(Style)
    ) u_bank (
      .clk_i,
      .write_i        (write),
      .write_address_i(write_address[WordBits*b +: WordBits]),
      .write_data_i   (write_data[AccBits*b +: AccBits]),
      .read_i         (read),
      .read_address_i (read_address),
      .read_data_o    (read_data[AccBits*b +: AccBits])
    );
  end

  if (Banks == Lanes) begin : gen_whole
    assign sums_data_o = read_data;
  end else begin : gen_part
    logic [BankBits-LaneBits-1:0] part_q;
    always_ff @(posedge clk_i) begin
      if (read) part_q <= row_q[BankBits-1:LaneBits];
    end
    always_comb begin
      sums_data_o = read_data[AccBits*Lanes-1:0];
      for (int unsigned i = 1; i < Banks / Lanes; i++) begin
        if (32'(part_q) == i) sums_data_o = read_data[AccBits*Lanes*i +: AccBits*Lanes];
      end
    end
  end

  assign busy_o = job_valid | (chunks_q != '0) | sums_valid_o;

  logic unused;
  assign unused = fifo_ready;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!chunk_q || fifo_ready);
    end
  end
`endif
endmodule

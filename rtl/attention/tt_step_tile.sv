/// The steps of the rows of tiles: a beat of steps is written, Lanes steps are read.
module tt_step_tile #(
  /// Rows.
  parameter int unsigned Rows = 16,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64,
  /// Steps that are read at once, a power of two.
  parameter int unsigned Lanes = 4,
  /// Bits of a row number.
  localparam int unsigned RowBits = $clog2(Rows),
  /// Bits of the number of a part of Lanes rows.
  localparam int unsigned PartBits = Rows > Lanes ? $clog2(Rows / Lanes) : 1
) (
  /// Clock.
  input  logic                   clk_i,
  /// A beat of steps is written.
  input  logic                   write_i,
  /// Its tile.
  input  logic [tt_attention_pkg::BufferBits-1:0] write_buffer_i,
  /// Its number.
  input  logic [RowBits-1:0]     write_beat_i,
  /// The beat.
  input  logic [8*BeatBytes-1:0] write_data_i,
  /// The steps of a tile are read.
  input  logic                   read_i,
  /// The tile.
  input  logic [tt_attention_pkg::BufferBits-1:0] read_buffer_i,
  /// Which Lanes steps of the tile that was read a cycle ago, or before.
  input  logic [PartBits-1:0]    part_i,
  /// They, in the same cycle as part_i.
  output logic [32*Lanes-1:0]    steps_o
);
  localparam int unsigned BeatSteps = BeatBytes / 4;

  logic [32*Rows-1:0] steps;

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    tt_ram #(
      .Width(32),
      .Depth(tt_attention_pkg::Buffers),
      .Style("distributed")
    ) u_steps (
      .clk_i,
      .write_i        (write_i && write_beat_i == RowBits'(r / BeatSteps)),
      .write_address_i(write_buffer_i),
      .write_data_i   (write_data_i[32*(r%BeatSteps) +: 32]),
      .read_i,
      .read_address_i (read_buffer_i),
      .read_data_o    (steps[32*r +: 32])
    );
  end

  always_comb begin
    steps_o = steps[32*Lanes-1:0];
    for (int unsigned p = 1; p < Rows / Lanes; p++) begin
      if (part_i == PartBits'(p)) steps_o = steps[32*Lanes*p +: 32*Lanes];
    end
  end

  // A beat may hold more steps than a page.
  logic unused;
  assign unused = ^write_data_i;
endmodule

/// Tiles of K rows: a word of an even and of an odd row are written, a word of half of the rows is
/// read, skewed for tt_dot_array: byte i of a word comes i mod DotChain cycles after byte 0.
///
/// Row r and row r + Rows / 2 share a memory. There is no register behind it: that is in the DSP
/// blocks.
module tt_key_tile #(
  /// Rows of a tile, a multiple of 4.
  parameter int unsigned Rows = 16,
  /// Bytes of a row word, a multiple of DotChain.
  parameter int unsigned Bytes = 64,
  /// Row words of a row, of all tiles.
  parameter int unsigned Words = 8,
  /// Bits of the address of a row word.
  localparam int unsigned AddressBits = $clog2(Words),
  /// Bits of a row number.
  localparam int unsigned RowBits = $clog2(Rows)
) (
  /// Clock.
  input  logic                        clk_i,
  /// A row word is written: of an even row, of an odd row.
  input  logic [1:0]                  write_i,
  /// Its row.
  input  logic [1:0][RowBits-1:0]     write_row_i,
  /// Its address.
  input  logic [1:0][AddressBits-1:0] write_address_i,
  /// The row word.
  input  logic [1:0][8*Bytes-1:0]     write_data_i,
  /// The address of the word that is read.
  input  logic [AddressBits-1:0]      read_address_i,
  /// Of the second half of the rows.
  input  logic                        read_second_i,
  /// Row r of the half in bits 8 * Bytes * r and up; byte 0 one cycle after.
  output logic [4*Bytes*Rows-1:0]     read_data_o
);
  localparam int unsigned Half  = Rows / 2;
  localparam int unsigned Chain = tt_attention_pkg::DotChain;
  localparam int unsigned Class = Bytes / Chain;  // bytes of a word that come together

  logic [Chain-1:0][AddressBits:0] address_q;

  always_ff @(posedge clk_i) begin
    address_q <= {address_q[Chain-2:0], read_address_i, read_second_i};
  end

  for (genvar r = 0; r < Half; r++) begin : gen_row
    logic                 write;
    logic [AddressBits:0] write_address;

    assign write         = write_i[r%2] && write_row_i[r%2][RowBits-2:0] == (RowBits - 1)'(r);
    assign write_address = {write_address_i[r%2], write_row_i[r%2][RowBits-1]};

    for (genvar p = 0; p < Chain; p++) begin : gen_class
      (* ram_style = "distributed" *) (* no_rw_check *)
      logic [8*Class-1:0] memory [2*Words];
      logic [8*Class-1:0] data;

      for (genvar c = 0; c < Class; c++) begin : gen_byte
        assign data[8*c+:8] = write_data_i[r%2][8*(Chain*c+p)+:8];
        assign read_data_o[8*(Bytes*r+Chain*c+p)+:8] = memory[address_q[p]][8*c+:8];
      end
      always_ff @(posedge clk_i) begin
        if (write) memory[write_address] <= data;
      end
    end
  end
endmodule

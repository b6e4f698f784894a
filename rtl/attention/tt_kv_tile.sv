/// Tiles of K or V rows: a word of an even and of an odd row are written, one word of all rows, or
/// a half of it, is read.
module tt_kv_tile #(
  /// Rows.
  parameter int unsigned Rows = 16,
  /// Bytes of a row word.
  parameter int unsigned Bytes = 64,
  /// Parts of a row word that are read by themselves: 1 or 2.
  parameter int unsigned Parts = 1,
  /// Row words of a row, of all tiles.
  parameter int unsigned Words = 8,
  /// Bits of the address of a row word.
  localparam int unsigned AddressBits = $clog2(Words),
  /// Bits of a row number.
  localparam int unsigned RowBits = $clog2(Rows),
  /// Bits of a row in what is read.
  localparam int unsigned PartBits = 8 * Bytes / Parts
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
  /// A word of all rows is read.
  input  logic                        read_i,
  /// Its address.
  input  logic [AddressBits-1:0]      read_address_i,
  /// The part of it.
  input  logic                        read_part_i,
  /// Row r in bits PartBits * r and up, one cycle after.
  output logic [PartBits*Rows-1:0]    read_data_o
);
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    (* ram_style = "distributed" *) (* no_rw_check *)
    logic [PartBits-1:0] low [Words];
    logic [PartBits-1:0]    data_q;
    logic                   write;
    logic [AddressBits-1:0] address;

    assign write   = write_i[r%2] && write_row_i[r%2] == RowBits'(r);
    assign address = write_address_i[r%2];
    assign read_data_o[PartBits*r +: PartBits] = data_q;

    if (Parts == 1) begin : gen_whole
      always_ff @(posedge clk_i) begin
        if (write) low[address] <= write_data_i[r%2];
        if (read_i) data_q <= low[read_address_i];
      end
      logic unused;
      assign unused = read_part_i;
    end else begin : gen_halves
      (* ram_style = "distributed" *) (* no_rw_check *)
      logic [PartBits-1:0] high [Words];
      always_ff @(posedge clk_i) begin
        if (write) low[address] <= write_data_i[r%2][PartBits-1:0];
        if (write) high[address] <= write_data_i[r%2][2*PartBits-1:PartBits];
        if (read_i) begin
          if (read_part_i) data_q <= high[read_address_i];
          else data_q <= low[read_address_i];
        end
      end
    end
  end
endmodule

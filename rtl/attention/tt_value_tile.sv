/// Tiles of V rows: a word of an even and of an odd row are written, one word of all rows is read,
/// skewed for tt_value_array: row r comes r cycles after row 0.
///
/// There is no register behind the memories: that is in the DSP blocks.
module tt_value_tile #(
  /// Rows.
  parameter int unsigned Rows = 16,
  /// Bytes of a row word.
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
  /// Row r in bits 8 * Bytes * r and up; row 0 one cycle after.
  output logic [8*Bytes*Rows-1:0]     read_data_o
);
  logic [Rows-1:0][AddressBits-1:0] address_q;

  always_ff @(posedge clk_i) begin
    address_q <= {address_q[Rows-2:0], read_address_i};
  end

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    (* ram_style = "distributed" *) (* no_rw_check *)
    logic [8*Bytes-1:0] memory [Words];

    always_ff @(posedge clk_i) begin
      if (write_i[r%2] && write_row_i[r%2] == RowBits'(r)) begin
        memory[write_address_i[r%2]] <= write_data_i[r%2];
      end
    end
    assign read_data_o[8*Bytes*r+:8*Bytes] = memory[address_q[r]];
  end
endmodule

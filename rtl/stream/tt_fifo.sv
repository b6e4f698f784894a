/// A valid/ready FIFO with a registered output.
///
/// A word that enters an empty FIFO appears at the output two cycles later; after that a word a
/// cycle. The output register is the read register of the memory, so block RAM needs nothing
/// around it. Holds Depth + 1 words.
module tt_fifo #(
  /// Bits of a word.
  parameter int unsigned Width = 8,
  /// Words of the memory, a power of two, at least 2.
  parameter int unsigned Depth = 16,
  /// `ram_style` of the memory: "block" or "distributed".
  parameter              RamStyle = "distributed"
) (
  /// Clock.
  input  logic             clk_i,
  /// Asynchronous reset, active low: the FIFO is empty.
  input  logic             rst_ni,
  /// A word enters when valid and ready are high.
  input  logic             valid_i,
  /// High while the memory has room; depends on registers alone.
  output logic             ready_o,
  /// The word that enters.
  input  logic [Width-1:0] data_i,
  /// A word is at the output.
  output logic             valid_o,
  /// The word at the output is taken at the end of this cycle.
  input  logic             ready_i,
  /// The word at the output; holds until taken.
  output logic [Width-1:0] data_o
);
  localparam int unsigned PtrBits = $clog2(Depth);

  if (Depth < 2 || 2 ** PtrBits != Depth) begin : gen_bad_depth
    $fatal(1, "tt_fifo: Depth must be a power of two and at least 2");
  end

  // One bit more than the address tells full from empty.
  logic [PtrBits:0] write_ptr_q, read_ptr_q;
  logic write, read, empty, valid_q;

  assign empty   = write_ptr_q == read_ptr_q;
  assign ready_o = write_ptr_q != {~read_ptr_q[PtrBits], read_ptr_q[PtrBits-1:0]};
  assign write   = valid_i & ready_o;
  assign read    = ~empty & (~valid_q | ready_i);

  (* ram_style = RamStyle *) (* no_rw_check *)
  logic [Width-1:0] memory [Depth];
  logic [Width-1:0] data_q;

  always_ff @(posedge clk_i) begin
    if (write) memory[write_ptr_q[PtrBits-1:0]] <= data_i;
    if (read) data_q <= memory[read_ptr_q[PtrBits-1:0]];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_ptr_q <= '0;
      read_ptr_q  <= '0;
      valid_q     <= 1'b0;
    end else begin
      write_ptr_q <= write_ptr_q + (PtrBits + 1)'(write);
      read_ptr_q  <= read_ptr_q + (PtrBits + 1)'(read);
      valid_q     <= read | (valid_q & ~ready_i);
    end
  end

  assign valid_o = valid_q;
  assign data_o  = data_q;
endmodule

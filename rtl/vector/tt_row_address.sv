/// Where a row of a table lies: base + row * beats * BeatBytes, a bit of `beats` a cycle.
module tt_row_address #(
  /// Bytes of a beat, a power of two.
  parameter int unsigned BeatBytes = 64
) (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low: idle.
  input  logic        rst_ni,
  /// Begin; a row that is being worked out is forgotten.
  input  logic        start_i,
  /// Address of the table.
  input  logic [39:0] base_i,
  /// Number of the row.
  input  logic [31:0] row_i,
  /// Beats of a row.
  input  logic [15:0] beats_i,
  /// The address is there, for one cycle.
  output logic        done_o,
  /// The address.
  output logic [39:0] address_o
);
  localparam int unsigned SizeBits = $clog2(BeatBytes);

  logic        run_q;
  logic [39:0] sum_q, addend_q;
  logic [15:0] beats_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) run_q <= 1'b0;
    else run_q <= start_i | (run_q & beats_q != '0);
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      sum_q    <= base_i;
      addend_q <= 40'(row_i) << SizeBits;
      beats_q  <= beats_i;
    end else if (run_q) begin
      if (beats_q[0]) sum_q <= sum_q + addend_q;
      addend_q <= addend_q << 1;
      beats_q  <= beats_q >> 1;
    end
  end

  assign done_o    = run_q & ~start_i & (beats_q == '0);
  assign address_o = sum_q;
endmodule

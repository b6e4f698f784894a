/// The partial sums of a panel: one word of Sums sums an address, read, added to and written back.
///
/// Timing of a beat whose read_i is high in cycle 0: the old sums are fetched in cycles 0 and 1
/// (UltraRAM or block RAM, one read and one write port), sums_i and signs_i are added in cycle 2,
/// the new sums are written in cycle 3 and can be read from cycle 4 on. The caller keeps beats of
/// one address at least four cycles apart.
module tt_partial_sums #(
  /// Sums of a word.
  parameter int unsigned Sums = 112,
  /// Sums that share a sign: sum i has sign i mod Rows.
  parameter int unsigned Rows = 7,
  /// Bits of a sum.
  parameter int unsigned AccBits = 24,
  /// Bits of what is added, at most AccBits.
  parameter int unsigned SumBits = 14,
  /// Bits of an address.
  parameter int unsigned AddressBits = 12
) (
  /// Clock.
  input  logic                    clk_i,
  /// Asynchronous reset, active low: nothing is on its way; the memory keeps its contents.
  input  logic                    rst_ni,
  /// A beat adds to the word at address_i.
  input  logic                    read_i,
  /// The beat starts the word: the old sums count as zero and the read port is not used.
  input  logic                    first_i,
  /// The beat is the last of its job.
  input  logic                    last_i,
  /// Word of the beat.
  input  logic [AddressBits-1:0]  address_i,
  /// What is added, signed, two cycles after read_i.
  input  logic [SumBits*Sums-1:0] sums_i,
  /// Subtract instead, one bit a row, two cycles after read_i.
  input  logic [Rows-1:0]         signs_i,
  /// A pulse four cycles after the last beat of a job: all its sums can be read.
  output logic                    written_o,
  /// The read port is free in this cycle.
  output logic                    drain_ready_o,
  /// Word to drain.
  input  logic [AddressBits-1:0]  drain_address_i,
  /// The sums at drain_address_i, one cycle after drain_ready_o.
  output logic [AccBits*Sums-1:0] drain_data_o
);
  (* ram_style = "ultra" *) (* no_rw_check *)
  logic [AccBits*Sums-1:0] memory [2**AddressBits];

  logic [AccBits*Sums-1:0] fetched_q, old_q, new_q;
  logic [3:0]              valid_q, last_q;  // bit n: n + 1 cycles after read_i
  logic                    first_q;
  logic [AddressBits-1:0]  write_address;

  assign drain_ready_o = ~read_i | first_i;
  assign drain_data_o  = fetched_q;
  assign written_o     = valid_q[3] & last_q[3];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[2:0], read_i};
  end

  tt_delay #(.Width(AddressBits), .Cycles(3)) u_address (
    .clk_i,
    .data_i(address_i),
    .data_o(write_address)
  );

  always_ff @(posedge clk_i) begin
    last_q    <= {last_q[2:0], last_i};
    first_q   <= first_i;
    fetched_q <= memory[drain_ready_o ? drain_address_i : address_i];
    if (first_q) old_q <= '0;
    else old_q <= fetched_q;
    if (valid_q[2]) memory[write_address] <= new_q;
  end

  for (genvar i = 0; i < Sums; i++) begin : gen_sum
    logic [AccBits-1:0] addend;
    logic               minus, unused;
    assign minus  = signs_i[i%Rows];
    assign addend = {{AccBits-SumBits{sums_i[SumBits*(i+1)-1]}}, sums_i[SumBits*i +: SumBits]};
    // The extra low bit carries the one of the two's complement.
    always_ff @(posedge clk_i) begin
      {new_q[AccBits*i +: AccBits], unused} <= {old_q[AccBits*i +: AccBits], minus}
                                             + {addend ^ {AccBits{minus}}, minus};
    end
  end
endmodule

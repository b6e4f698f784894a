/// The partial sums of a panel: one word of Rows x Slots sums an address, read, added to and written back.
///
/// Timing of a beat whose read_i is high in cycle 0: the old sums are fetched in cycles 0 and 1
/// (UltraRAM or block RAM, one read and one write port), sums_i and signs_i are added in cycle 2
/// (with DspSums, two sums share a DSP block that takes them in cycle 1), the new sums are written in cycle 3 and can be read from cycle 4 on. The caller keeps beats of
/// one address at least four cycles apart.
module tt_partial_sums #(
  /// Slots of a word.
  parameter int unsigned Slots = 16,
  /// Rows of a word: sum s * Rows + r has the sign of row r.
  parameter int unsigned Rows = 7,
  /// Bits of a sum.
  parameter int unsigned AccBits = 24,
  /// Bits of what is added, at most AccBits.
  parameter int unsigned SumBits = 14,
  /// Bits of an address.
  parameter int unsigned AddressBits = 12,
  /// What is added comes with 2 ** (SumBits - 1) added.
  parameter bit          Offset = 1'b0,
  /// Add in DSP blocks; Offset must be set.
  parameter bit          DspSums = 1'b0,
  /// Sums of a word.
  localparam int unsigned Sums = Rows * Slots
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
  /// What is added, signed, two cycles after read_i, one with DspSums.
  input  logic [SumBits*Sums-1:0] sums_i,
  /// Subtract instead, one bit a row, with sums_i.
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

  logic [AccBits*Sums-1:0] fetched_q, sums;
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
    if (valid_q[2]) memory[write_address] <= sums;
  end

  if (DspSums) begin : gen_dsp
    for (genvar s = 0; s < Slots; s += 2) begin : gen_pair
      for (genvar r = 0; r < Rows; r++) begin : gen_row
        logic [47:0] old, addend, sum;
        for (genvar h = 0; h < 2; h++) begin : gen_sum
          localparam int unsigned I = (s + h) * Rows + r;
          if (s + h < Slots) begin : gen_slot
            assign old[24*h +: 24]          = 24'(fetched_q[AccBits*I +: AccBits]);
            assign addend[24*h +: 24]       = 24'(sums_i[SumBits*I +: SumBits]);
            assign sums[AccBits*I +: AccBits] = sum[24*h +: AccBits];
          end else begin : gen_none
            assign old[24*h +: 24]    = '0;
            assign addend[24*h +: 24] = '0;
          end
        end
        tt_dsp_add #(.Offset(24'd0 - 24'(2 ** (SumBits - 1)))) u_add (
          .clk_i,
          .clear_i(first_q),
          .c_i    (old),
          .a_i    (addend),
          .minus_i(signs_i[r]),
          .sum_o  (sum)
        );
        logic unused;
        assign unused = ^sum;
      end
    end
  end else begin : gen_lut
    logic [AccBits*Sums-1:0] old_q;
    always_ff @(posedge clk_i) begin
      if (first_q) old_q <= '0;
      else old_q <= fetched_q;
    end
    for (genvar i = 0; i < Sums; i++) begin : gen_sum
      logic [AccBits-1:0] addend, new_q;
      logic               top, minus, unused;
      assign minus  = signs_i[i%Rows];
      assign top    = sums_i[SumBits*(i+1)-1] ^ Offset;
      assign addend = {{AccBits-SumBits+1{top}}, sums_i[SumBits*i +: SumBits-1]};
      // The extra low bit carries the one of the two's complement.
      always_ff @(posedge clk_i) begin
        {new_q, unused} <= {old_q[AccBits*i +: AccBits], minus}
                         + {addend ^ {AccBits{minus}}, minus};
      end
      assign sums[AccBits*i +: AccBits] = new_q;
    end
  end
endmodule

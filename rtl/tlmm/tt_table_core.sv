/// From activations and beats to sums by table lookup. tt_select_core does the same without tables.
///
/// A beat that is consumed in cycle 0 is looked up from cycle 1 on. Its sums come in cycle
/// $clog2(Groups) + 2, from adder trees, or, with DspSums, in cycle Groups / 3, rounded up, + 4,
/// from chains of DSP blocks.
module tt_table_core #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of a row, a multiple of 5.
  parameter int unsigned Groups = 15,
  /// Add up in DSP blocks: sums_o come with 2 ** (SumBits - 1) added, never negative.
  parameter bit          DspSums = 1'b0,
  /// Bits of a sum.
  localparam int unsigned SumBits = 10 + $clog2(Groups)
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low: no block begun.
  input  logic                          rst_ni,
  /// A job is there to take activations for.
  input  logic                          job_valid_i,
  /// Blocks of the job.
  input  logic [15:0]                   job_blocks_i,
  /// Slots of the job.
  input  logic [7:0]                    job_slots_i,
  /// The last activations of the job are taken.
  output logic                          job_next_o,
  /// The activations of a slot for a block are offered.
  input  logic                          act_valid_i,
  /// They are taken; depends on registers alone.
  output logic                          act_ready_o,
  /// Activation of column c, int8, in bits 8c+7..8c.
  input  logic [24*Groups-1:0]          act_data_i,
  /// Bank b of the activations is complete.
  output logic [1:0]                    bank_ready_o,
  /// The last beat that needs bank b is consumed.
  input  logic [1:0]                    bank_free_i,
  /// A beat is consumed (cycle 0).
  input  logic                          issue_i,
  /// The bank that it needs.
  input  logic                          bank_i,
  /// Index of group g of row r in bits 4 * (r * Groups + g) up, in cycle 1.
  input  logic [4*Groups*Rows-1:0]      index_i,
  /// Sign of group g of row r in bit r * Groups + g, in cycle 1.
  input  logic [Groups*Rows-1:0]        sign_i,
  /// Sum of row r of slot s in bits SumBits * (s * Rows + r) up, up to the sign of its row.
  output logic [SumBits*Rows*Slots-1:0] sums_o,
  /// Sign of each row, with its sums.
  output logic [Rows-1:0]               signs_o
);
  localparam int unsigned Lanes   = Slots < 4 ? Slots : 4;
  localparam int unsigned Lookups = Groups * Rows;

  // ---- tables ----------------------------------------------------------------------------------
  logic [Slots-1:0]           write;
  logic [5*Lanes-1:0]         write_address;
  logic [10*Groups*Lanes-1:0] write_data;

  tt_table_front #(
    .Slots  (Slots),
    .Lanes  (Lanes),
    .Groups (Groups),
    .DspSums(DspSums)
  ) u_front (
    .clk_i,
    .rst_ni,
    .job_valid_i,
    .job_blocks_i,
    .job_slots_i,
    .job_next_o,
    .act_valid_i,
    .act_ready_o,
    .act_data_i,
    .bank_ready_o,
    .bank_free_i,
    .write_o        (write),
    .write_address_o(write_address),
    .write_data_o   (write_data)
  );

  logic bank_q;
  always_ff @(posedge clk_i) begin
    if (issue_i) bank_q <= bank_i;
  end

  // ---- from cycle 1: look up -------------------------------------------------------------------
  logic [4*Lookups-1:0]        index;    // what the tables are given, and when
  logic [Groups-1:0]           bank;
  logic [10*Lookups*Slots-1:0] entries;  // group g of row r of slot s: (s * Rows + r) * Groups + g

  for (genvar s = 0; s < Slots; s++) begin : gen_slot
    tt_slot_tables #(.Rows(Rows), .Groups(Groups), .Registered(!DspSums)) u_tables (
      .clk_i,
      .write_i        (write[s]),
      .write_address_i(write_address[5*(s%Lanes) +: 5]),
      .write_data_i   (write_data[10*Groups*(s%Lanes) +: 10*Groups]),
      .bank_i         (bank),
      .index_i        (index),
      .entries_o      (entries[10*Lookups*s +: 10*Lookups])
    );
  end

  // ---- add over the groups ---------------------------------------------------------------------
  if (DspSums) begin : gen_chains
    tt_chain_skew #(.Leaves(Groups), .Width(1)) u_bank (
      .clk_i,
      .data_i({Groups{bank_q}}),
      .data_o(bank)
    );

    for (genvar r = 0; r < Rows; r++) begin : gen_row
      logic [Groups-1:1]         flip;
      logic [$clog2(Groups)-1:0] count;

      tt_chain_row #(.Groups(Groups)) u_row (
        .clk_i,
        .index_i(index_i[4*Groups*r +: 4*Groups]),
        .sign_i (sign_i[Groups*r +: Groups]),
        .index_o(index[4*Groups*r +: 4*Groups]),
        .flip_o (flip),
        .count_o(count),
        .sign_o (signs_o[r])
      );

      // Two slots share a chain; of an odd number the last one has its own.
      for (genvar s = 0; s < Slots; s += 2) begin : gen_pair
        logic [10*Groups-1:0] other;
        logic [2*SumBits-1:0] sums;
        tt_sum_chain #(.Leaves(Groups), .LeafBits(10)) u_chain (
          .clk_i,
          .leaves_i({other, entries[10*Groups*(s*Rows+r) +: 10*Groups]}),
          .flip_i  (flip),
          .count_i (count),
          .sums_o  (sums)
        );
        assign sums_o[SumBits*(s*Rows+r) +: SumBits] = sums[SumBits-1:0];
        if (s + 1 < Slots) begin : gen_two
          assign other = entries[10*Groups*((s+1)*Rows+r) +: 10*Groups];
          assign sums_o[SumBits*((s+1)*Rows+r) +: SumBits] = sums[2*SumBits-1:SumBits];
        end else begin : gen_one
          logic unused;
          assign other  = '0;
          assign unused = ^sums[2*SumBits-1:SumBits];
        end
      end
    end
  end else begin : gen_trees
    assign bank  = {Groups{bank_q}};
    assign index = index_i;

    for (genvar r = 0; r < Rows; r++) begin : gen_row
      logic [Groups-1:1] flip;

      tt_tree_signs #(.Leaves(Groups)) u_signs (
        .clk_i,
        .sign_i(sign_i[Groups*r +: Groups]),
        .flip_o(flip),
        .sign_o(signs_o[r])
      );

      for (genvar s = 0; s < Slots; s++) begin : gen_slot
        tt_adder_tree #(.Leaves(Groups), .LeafBits(10)) u_tree (
          .clk_i,
          .leaves_i(entries[10*Groups*(s*Rows+r) +: 10*Groups]),
          .flip_i  (flip),
          .sum_o   (sums_o[SumBits*(s*Rows+r) +: SumBits])
        );
      end
    end
  end
endmodule

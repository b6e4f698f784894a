/// From activations and beats to sums without tables: what tt_table_core does, trit by trit.
///
/// A slot takes its activations in one cycle. The first beat of a block moves them from the waiting
/// registers to those that are selected from, which frees the former for the next block. A beat
/// that is consumed in cycle 0 selects in cycle 1; its sums come in cycle $clog2(3 * Groups) + 2.
module tt_select_core #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of a row, a multiple of 5.
  parameter int unsigned Groups = 15,
  /// Bits of a sum.
  localparam int unsigned SumBits = 8 + $clog2(3 * Groups)
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
  localparam int unsigned Columns = 3 * Groups;

  // ---- activations -----------------------------------------------------------------------------
  logic [15:0]      block_q;
  logic [7:0]       slot_q;
  logic [Slots-1:0] load;
  logic             last_slot, last_block, take, swap, bank_q, held_q;
  logic             full_q;   // the waiting registers hold a block
  logic [1:0]       taken_q;  // every word of the bank's block is taken

  assign act_ready_o  = job_valid_i & ~full_q;
  assign take         = act_valid_i & act_ready_o;
  assign last_slot    = 16'(slot_q) + 16'd1 == 16'(job_slots_i);
  assign last_block   = block_q + 16'd1 == job_blocks_i;
  assign job_next_o   = take & last_slot & last_block;
  assign swap         = issue_i & (bank_i != held_q);
  assign bank_ready_o = taken_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      block_q <= '0;
      slot_q  <= '0;
      bank_q  <= 1'b0;
      held_q  <= 1'b1;
      full_q  <= 1'b0;
      taken_q <= '0;
    end else begin
      taken_q <= taken_q & ~bank_free_i;
      if (swap) begin
        held_q <= bank_i;
        full_q <= 1'b0;
      end
      if (take) begin
        slot_q <= slot_q + 1'b1;
        if (last_slot) begin
          slot_q          <= '0;
          full_q          <= 1'b1;
          bank_q          <= ~bank_q;
          taken_q[bank_q] <= 1'b1;
          block_q         <= last_block ? '0 : block_q + 1'b1;
        end
      end
    end
  end

  // ---- from cycle 1: select and add over the columns -------------------------------------------
  logic [Columns*Rows-1:0]     zero, minus;
  logic [(Columns-1)*Rows-1:0] flip;

  for (genvar i = 0; i < Groups * Rows; i++) begin : gen_trits
    tt_triple_trits u_trits (
      .index_i(index_i[4*i +: 4]),
      .sign_i (sign_i[i]),
      .zero_o (zero[3*i +: 3]),
      .minus_o(minus[3*i +: 3])
    );
  end

  for (genvar r = 0; r < Rows; r++) begin : gen_signs
    tt_tree_signs #(.Leaves(Columns)) u_signs (
      .clk_i,
      .sign_i(minus[Columns*r +: Columns]),
      .flip_o(flip[(Columns-1)*r +: Columns-1]),
      .sign_o(signs_o[r])
    );
  end

  for (genvar s = 0; s < Slots; s++) begin : gen_slot
    assign load[s] = take & (slot_q == 8'(s));
    tt_select_slot #(.Rows(Rows), .Columns(Columns)) u_slot (
      .clk_i,
      .load_i    (load[s]),
      .act_data_i,
      .swap_i    (swap),
      .zero_i    (zero),
      .flip_i    (flip),
      .sums_o    (sums_o[SumBits*Rows*s +: SumBits*Rows])
    );
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert ((bank_free_i & ~bank_ready_o) == '0);
      assert (!swap || full_q);
    end
  end
`endif
endmodule

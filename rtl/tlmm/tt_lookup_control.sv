/// Decides in which cycle the next beat is looked up, and says why one is not.
///
/// Walks the jobs: blocks outer, tiles inner, a beat each. A beat is consumed when it is there, its
/// tables are complete, its bank of partial sums is free, the drain does not want the cycle, and
/// the sum that it adds to is back in memory.
module tt_lookup_control #(
  /// Bits of a tile number.
  parameter int unsigned TileBits = 11
) (
  /// Clock.
  input  logic              clk_i,
  /// Asynchronous reset, active low: before the first beat of a job.
  input  logic              rst_ni,
  /// A job is there.
  input  logic              job_valid_i,
  /// Tiles of the job.
  input  logic [15:0]       job_tiles_i,
  /// Blocks of the job.
  input  logic [15:0]       job_blocks_i,
  /// The last beat of the job is consumed.
  output logic              job_next_o,
  /// Bank b of the tables is complete.
  input  logic [1:0]        bank_ready_i,
  /// The last beat that needs bank b of the tables is consumed.
  output logic [1:0]        bank_free_o,
  /// A beat is there.
  input  logic              beat_valid_i,
  /// A beat can be consumed; depends on registers alone.
  output logic              beat_ready_o,
  /// The drain wants the cycle; from a register.
  input  logic              leave_i,
  /// A pulse: the oldest finished job has left its bank of partial sums.
  input  logic              drained_i,
  /// A beat is consumed.
  output logic              issue_o,
  /// Bank of tables of the beat.
  output logic              bank_o,
  /// Word of partial sums of the beat: bank, tile.
  output logic [TileBits:0] address_o,
  /// The beat belongs to the first block of its job.
  output logic              first_o,
  /// The beat is the last of its job.
  output logic              last_o,
  /// A job is there but no beat was consumed: why.
  output tt_pkg::lost_t     lost_o
);
  localparam logic [1:0] MaxAge = 2'd3;  // partial sums come back in MaxAge + 1 cycles

  logic [TileBits-1:0] tile_q;
  logic [15:0]         block_q;
  logic                bank_q, sums_bank_q;
  logic [1:0]          held_q;  // finished jobs that are not drained, 0..2
  logic [1:0]          age_q;   // cycles since the last beat, less one
  logic                last_tile, last_block, sums_free, tables_ready, in_order;

  assign last_tile    = 16'(tile_q) + 16'd1 == job_tiles_i;
  assign last_block   = block_q + 16'd1 == job_blocks_i;
  assign sums_free    = held_q != 2'd2;
  assign tables_ready = bank_ready_i[bank_q];
  // Only a panel of fewer tiles than the pipeline is deep comes back to a tile too soon.
  assign in_order     = tile_q != '0 || first_o || age_q == MaxAge || job_tiles_i > 16'(MaxAge);

  assign beat_ready_o = job_valid_i & sums_free & tables_ready & in_order & ~leave_i;
  assign issue_o      = beat_valid_i & beat_ready_o;
  assign bank_o       = bank_q;
  assign address_o    = {sums_bank_q, tile_q};
  assign first_o      = block_q == '0;
  assign last_o       = last_tile & last_block;
  assign job_next_o   = issue_o & last_o;
  assign bank_free_o  = {bank_q, ~bank_q} & {2{issue_o & last_tile}};

  always_comb begin
    lost_o = '0;
    if (job_valid_i) begin
      if (!sums_free) lost_o.results = 1'b1;
      else if (!tables_ready) lost_o.tables = beat_valid_i;
      else if (!beat_valid_i) lost_o.memory = 1'b1;
      else if (!in_order) lost_o.order = 1'b1;
      else if (leave_i) lost_o.drain = 1'b1;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tile_q      <= '0;
      block_q     <= '0;
      bank_q      <= 1'b0;
      sums_bank_q <= 1'b0;
      held_q      <= '0;
      age_q       <= '0;
    end else begin
      held_q <= held_q + 2'(job_next_o) - 2'(drained_i);
      if (issue_o) age_q <= '0;
      else if (age_q != MaxAge) age_q <= age_q + 1'b1;
      if (issue_o) begin
        tile_q <= tile_q + 1'b1;
        if (last_tile) begin
          tile_q  <= '0;
          bank_q  <= ~bank_q;
          block_q <= last_block ? '0 : block_q + 1'b1;
          if (last_block) sums_bank_q <= ~sums_bank_q;
        end
      end
    end
  end
endmodule

/// Builds the tables of a block: hands the activations of its slots to the lanes.
///
/// Slot s is built by lane s mod Lanes. Words come in slot order; a word waits for its own lane
/// only. A block fills one of two banks of tables, so the next block is built while this one is
/// looked up. Throughput: Lanes slots every 14 cycles.
module tt_table_front #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Lanes, at most Slots.
  parameter int unsigned Lanes = 4,
  /// Groups of a row.
  parameter int unsigned Groups = 15,
  /// Sums in chains of DSP blocks, which read a bank for Groups / 3 cycles longer.
  parameter bit          DspSums = 1'b0
) (
  /// Clock.
  input  logic                       clk_i,
  /// Asynchronous reset, active low: no block begun.
  input  logic                       rst_ni,
  /// A job is there to build tables for.
  input  logic                       job_valid_i,
  /// Blocks of the job.
  input  logic [15:0]                job_blocks_i,
  /// Slots of the job.
  input  logic [7:0]                 job_slots_i,
  /// The last word of the job is taken.
  output logic                       job_next_o,
  /// Activations are offered: one word for each slot of each block.
  input  logic                       act_valid_i,
  /// The word is taken; depends on registers alone.
  output logic                       act_ready_o,
  /// Activation of column c, int8, in bits 8c+7..8c.
  input  logic [24*Groups-1:0]       act_data_i,
  /// Bank b is complete and can be read in the next cycle.
  output logic [1:0]                 bank_ready_o,
  /// The last beat that needs bank b is consumed: it is looked up from the next cycle on.
  input  logic [1:0]                 bank_free_i,
  /// Slot s writes an entry in each of its tables.
  output logic [Slots-1:0]           write_o,
  /// Bank and value of lane l in bits 5l+4..5l.
  output logic [5*Lanes-1:0]         write_address_o,
  /// Entries of lane l in bits 10*Groups*l up.
  output logic [10*Groups*Lanes-1:0] write_data_o
);
  localparam int unsigned Rounds    = (Slots + Lanes - 1) / Lanes;  // slots of a lane
  localparam int unsigned RoundBits = Rounds > 1 ? $clog2(Rounds) : 1;

  logic [15:0]          block_q;
  logic [7:0]           slot_q;
  logic [Lanes-1:0]     lane_q;  // one-hot: the lane of the next word
  logic [RoundBits-1:0] round_q;
  logic                 bank_q, last_slot, last_block, take;
  logic [1:0]           taken_q;  // every word of the bank's block is taken
  logic [1:0]           working;  // a lane still writes to the bank
  logic [1:0]           resting;  // it is free, but still read
  logic [Lanes-1:0]     lane_ready, lane_write, lane_bank;

  assign act_ready_o = job_valid_i & ~taken_q[bank_q] & ~resting[bank_q]
                       & |(lane_q & lane_ready);
  assign take        = act_valid_i & act_ready_o;
  assign last_slot   = 16'(slot_q) + 16'd1 == 16'(job_slots_i);
  assign last_block  = block_q + 16'd1 == job_blocks_i;
  assign job_next_o  = take & last_slot & last_block;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      block_q <= '0;
      slot_q  <= '0;
      lane_q  <= Lanes'(1);
      round_q <= '0;
      bank_q  <= 1'b0;
      taken_q <= '0;
    end else begin
      taken_q <= taken_q & ~bank_free_i;
      if (take) begin
        slot_q <= slot_q + 1'b1;
        lane_q <= Lanes'({lane_q, lane_q[Lanes-1]});
        if (lane_q[Lanes-1]) round_q <= round_q + 1'b1;
        if (last_slot) begin
          slot_q          <= '0;
          lane_q          <= Lanes'(1);
          round_q         <= '0;
          bank_q          <= ~bank_q;
          taken_q[bank_q] <= 1'b1;
          block_q         <= last_block ? '0 : block_q + 1'b1;
        end
      end
    end
  end

  if (DspSums) begin : gen_rest
    localparam int unsigned Links = (Groups + 2) / 3;
    logic [2*Links-1:0] rest_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) rest_q <= '0;
      else rest_q <= {rest_q[2*Links-3:0], bank_free_i};
    end
    always_comb begin
      resting = '0;
      for (int unsigned i = 0; i < Links; i++) resting = resting | rest_q[2*i +: 2];
    end
  end else begin : gen_no_rest
    assign resting = '0;
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    logic [3:0]           value;
    logic [RoundBits-1:0] lane_round;

    tt_table_builder #(.Groups(Groups), .TagBits(1 + RoundBits), .DspSums(DspSums)) u_builder (
      .clk_i,
      .rst_ni,
      .valid_i  (take & lane_q[l]),
      .ready_o  (lane_ready[l]),
      .data_i   (act_data_i),
      .tag_i    ({bank_q, round_q}),
      .write_o  (lane_write[l]),
      .value_o  (value),
      .entries_o(write_data_o[10*Groups*l +: 10*Groups]),
      .tag_o    ({lane_bank[l], lane_round})
    );

    assign write_address_o[5*l +: 5] = {lane_bank[l], value};
    for (genvar s = l; s < Slots; s += Lanes) begin : gen_slot
      assign write_o[s] = lane_write[l] & (lane_round == RoundBits'(s / Lanes));
    end
  end

  assign working      = {|(lane_write & lane_bank), |(lane_write & ~lane_bank)};
  assign bank_ready_o = taken_q & ~working;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) assert ((bank_free_i & ~bank_ready_o) == '0);
  end
`endif
endmodule

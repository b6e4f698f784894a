/// Buffer A and its reader: the activations of a job, block by block and slot by slot.
///
/// Word block * Slots + slot holds the activations of a slot for a block. A job reads the words of
/// slots 0..slots-1 of blocks 0..blocks-1, one a cycle; jobs follow each other without a gap. A block
/// that is not there yet is waited for.
module tt_activation_feeder #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Groups of three weights of a row.
  parameter int unsigned Groups = 15,
  /// Blocks that the buffer holds.
  parameter int unsigned ActBlocks = 192,
  /// `ram_style` of the buffer.
  parameter              ActStyle = "block",
  /// Bits of an address.
  localparam int unsigned AddressBits = $clog2(ActBlocks * Slots)
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: no job; the buffer keeps its contents.
  input  logic                   rst_ni,
  /// A word is written.
  input  logic                   write_i,
  /// Word to write.
  input  logic [AddressBits-1:0] write_address_i,
  /// What is written.
  input  logic [24*Groups-1:0]   write_data_i,
  /// Blocks that may be read.
  input  logic [15:0]            blocks_i,
  /// A job is offered.
  input  logic                   job_valid_i,
  /// The job is taken; depends on registers alone.
  output logic                   job_ready_o,
  /// Blocks of the job, 1..ActBlocks.
  input  logic [15:0]            job_blocks_i,
  /// Slots of the job, 1..Slots.
  input  logic [7:0]             job_slots_i,
  /// A word is at the output.
  output logic                   act_valid_o,
  /// The word is taken.
  input  logic                   act_ready_i,
  /// The word; holds until taken.
  output logic [24*Groups-1:0]   act_data_o,
  /// A pulse: every word of the oldest job has been read.
  output logic                   done_o,
  /// A job or a word is here.
  output logic                   busy_o
);
  logic                   job_valid, read, last_slot, last;
  logic [15:0]            blocks, block_q;
  logic [7:0]             slots, slot_q;
  logic [AddressBits-1:0] base_q;  // word of slot 0 of the block

  tt_fifo #(.Width(24), .Depth(4)) u_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(job_valid_i),
    .ready_o(job_ready_o),
    .data_i ({job_blocks_i, job_slots_i}),
    .valid_o(job_valid),
    .ready_i(read & last),
    .data_o ({blocks, slots})
  );

  assign read      = job_valid & (~act_valid_o | act_ready_i) & block_q < blocks_i;
  assign last_slot = slot_q + 8'd1 == slots;
  assign last      = last_slot && block_q + 16'd1 == blocks;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      act_valid_o <= 1'b0;
      done_o      <= 1'b0;
      slot_q      <= '0;
      block_q     <= '0;
      base_q      <= '0;
    end else begin
      if (read) act_valid_o <= 1'b1;
      else if (act_ready_i) act_valid_o <= 1'b0;
      done_o <= read & last;
      if (read) begin
        slot_q <= last_slot ? '0 : slot_q + 1'b1;
        if (last) begin
          block_q <= '0;
          base_q  <= '0;
        end else if (last_slot) begin
          block_q <= block_q + 1'b1;
          base_q  <= base_q + AddressBits'(Slots);
        end
      end
    end
  end

  tt_ram #(
    .Width(24 * Groups),
    .Depth(ActBlocks * Slots),
    .Style(ActStyle)
  ) u_activations (
    .clk_i,
    .write_i,
    .write_address_i,
    .write_data_i,
    .read_i        (read),
    .read_address_i(base_q + AddressBits'(slot_q)),
    .read_data_o   (act_data_o)
  );

  assign busy_o = job_valid | act_valid_o | done_o;
endmodule

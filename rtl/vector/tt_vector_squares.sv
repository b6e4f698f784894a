/// Sums of squares: 64 partial sums a slot, and the tree that finishes them.
///
/// Lane l holds the partial sums congruent to l mod Lanes, word j of a slot's memory those of the
/// words congruent to j. The tree first adds words, then lanes, a level of all slots after the other,
/// on the lanes' own adders.
module tt_vector_squares #(
  /// Tokens of a pass.
  parameter int unsigned Slots = 16,
  /// Elements of a word, a power of two, at most 16.
  parameter int unsigned Lanes = 8
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: idle.
  input  logic                rst_ni,
  /// Squares come in the next cycle.
  input  logic                square_i,
  /// Their slot.
  input  logic [7:0]          slot_i,
  /// Their word of the row.
  input  logic [15:0]         word_i,
  /// The sums of a row are complete: finish them. Not while busy, nor with squares on their way.
  input  logic                finish_i,
  /// Slots to finish, constant while busy.
  input  logic [7:0]          slots_i,
  /// Words of the row; with finish_i.
  input  logic [15:0]         words_i,
  /// The tree is at work.
  output logic                busy_o,
  /// The sum of a slot is complete, for one cycle.
  output logic                sum_valid_o,
  /// The sum.
  output logic [31:0]         sum_o,
  /// Its slot.
  output logic [7:0]          sum_slot_o,
  /// Lanes: load the first addend, the second.
  output logic [1:0]          load_o,
  /// Lanes: the first addend is the partial sum.
  output logic                tree_o,
  /// Lanes: the second addend is that of another lane.
  output logic                cross_o,
  /// How many lanes further: Lanes >> (step_o + 1).
  output logic [2:0]          step_o,
  /// Lanes: add.
  output logic                accumulate_o,
  /// The partial sums read.
  output logic [32*Lanes-1:0] partial_o,
  /// The new partial sums, AddLatency cycles after accumulate_o.
  input  logic [32*Lanes-1:0] partial_i
);
  localparam int unsigned Words    = 64 / Lanes;
  localparam int unsigned JBits    = $clog2(Words);
  localparam int unsigned Depth    = Slots * Words;
  localparam int unsigned AddrBits = $clog2(Depth);
  localparam int unsigned Steps    = $clog2(Lanes);
  // From a read to the write of the sum; a word may be read again one cycle later.
  localparam int unsigned Latency  = 2 + tt_float_pkg::AddLatency;
  localparam int unsigned WaitBits = $clog2(Latency + 1);

  if (Words < 4) begin : gen_bad_lanes
    $fatal(1, "tt_vector_squares: at most 16 lanes");
  end

  typedef enum logic [2:0] {Idle, High, Low, Cross, Settle} state_e;

  state_e              state_q;
  logic [7:0]          slot_q;
  logic [15:0]         touched_q;  // words of the row; others of the memory hold nothing
  logic [JBits-1:0]    half_q, j_q;  // half_q is 0 when words are added up
  logic [2:0]          step_q;
  logic [WaitBits-1:0] wait_q;
  logic                last_j, last_slot, last_step, waited, crossed_q;

  // ---- one memory, read for squares and for the tree --------------------------------------------
  logic                read, adds, zero, adds_q, high_q, tree_q, cross_q, zero_q;
  logic [AddrBits-1:0] address;
  logic [JBits-1:0]    j;
  logic [Latency-1:0]  write_q;
  logic [Latency-1:0][AddrBits-1:0] address_q;
  logic [32*Lanes-1:0] read_data;
  logic [2:0]          cross_step_q;

  assign j       = state_q == High ? j_q + half_q : state_q == Low ? j_q : '0;
  assign address = square_i ? AddrBits'(32'(slot_i) * Words + 32'(word_i[JBits-1:0]))
                            : AddrBits'(32'(slot_q) * Words + 32'(j));
  assign read    = square_i | (state_q == High) | (state_q == Low) | (state_q == Cross);
  assign adds    = square_i | (state_q == Low) | (state_q == Cross);
  assign zero    = square_i ? word_i < 16'(Words) : 16'(j) >= touched_q;

  tt_ram #(
    .Width(32 * Lanes),
    .Depth(Depth)
  ) u_partial_sums (
    .clk_i,
    .write_i        (write_q[Latency-1]),
    .write_address_i(address_q[Latency-1]),
    .write_data_i   (partial_i),
    .read_i         (read),
    .read_address_i (address),
    .read_data_o    (read_data)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      adds_q  <= 1'b0;
      high_q  <= 1'b0;
      write_q <= '0;
    end else begin
      adds_q  <= adds;
      high_q  <= ~square_i & (state_q == High);
      write_q <= {write_q[Latency-2:0], adds};
    end
  end

  always_ff @(posedge clk_i) begin
    if (adds || write_q != '0) address_q <= {address_q[Latency-2:0], address};
    if (read) begin
      tree_q       <= ~square_i;
      cross_q      <= ~square_i & (state_q == Cross);
      cross_step_q <= step_q;
      zero_q       <= zero;
    end
  end

  assign partial_o    = zero_q ? '0 : read_data;
  // The pair of a tree comes one after the other: the upper word first.
  assign load_o       = {high_q | (adds_q & (~tree_q | cross_q)), adds_q};
  assign tree_o       = tree_q;
  assign cross_o      = cross_q;
  assign step_o       = cross_step_q;
  assign accumulate_o = write_q[1];

  // ---- the tree ---------------------------------------------------------------------------------
  assign last_j    = j_q + 1'b1 == half_q;
  assign last_slot = slot_q + 8'd1 == slots_i;
  assign last_step = step_q == 3'(Steps - 1);
  assign waited    = wait_q == WaitBits'(Latency);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= Idle;
      slot_q    <= '0;
      touched_q <= '0;
      half_q    <= '0;
      j_q       <= '0;
      step_q    <= '0;
      wait_q    <= '0;
    end else begin
      wait_q <= state_q == Settle ? wait_q + 1'b1 : WaitBits'(1);
      unique case (state_q)
        Idle: if (finish_i) begin
          state_q   <= High;
          slot_q    <= '0;
          touched_q <= words_i;
          half_q    <= JBits'(Words / 2);
          j_q       <= '0;
          step_q    <= '0;
        end
        High: state_q <= Low;
        Low: begin
          j_q     <= last_j ? '0 : j_q + 1'b1;
          state_q <= last_j && last_slot ? Settle : High;
          if (last_j) slot_q <= last_slot ? '0 : slot_q + 8'd1;
          if (last_j && last_slot) half_q <= half_q >> 1;
        end
        Cross: begin
          slot_q <= last_slot ? '0 : slot_q + 8'd1;
          if (last_slot) state_q <= Settle;
        end
        // A level begins when the one before is written.
        Settle: if (waited) begin
          state_q <= half_q != '0 ? High : Cross;
          if (crossed_q) begin
            step_q <= step_q + 1'b1;
            if (last_step) state_q <= Idle;
          end
        end
        default: state_q <= Idle;
      endcase
    end
  end

  // Lanes are added up: the sums of the last step are those of the slots.
  always_ff @(posedge clk_i) begin
    if (state_q == Idle) crossed_q <= 1'b0;
    else if (state_q == Cross) crossed_q <= 1'b1;
  end

  assign busy_o      = state_q != Idle;
  assign sum_valid_o = crossed_q & last_step & write_q[Latency-1];
  assign sum_o       = partial_i[31:0];
  assign sum_slot_o  = 8'(address_q[Latency-1] >> JBits);

  logic unused;
  assign unused = ^{word_i, zero};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!square_i || state_q == Idle);
      assert (!finish_i || (state_q == Idle && write_q == '0));
    end
  end
`endif
endmodule

/// Page numbers of a sequence, a beat of its page table at a time.
///
/// The beat after the one in use is fetched early; after the last comes the first again, because a
/// table is walked once for every head and pass.
module tt_page_ids #(
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 64
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: nothing is held.
  input  logic                   rst_ni,
  /// Forget what is held; not while busy_o.
  input  logic                   flush_i,
  /// The addresses below are valid.
  input  logic                   active_i,
  /// Byte address of the entry wanted, a multiple of 4.
  input  logic [39:0]            entry_i,
  /// Byte address of the table's first entry.
  input  logic [39:0]            first_i,
  /// Byte address of the table's last entry in use.
  input  logic [39:0]            final_i,
  /// The table will be walked again.
  input  logic                   again_i,
  /// The entry is here.
  output logic                   hit_o,
  /// The entry.
  output logic [31:0]            id_o,
  /// A fetch is under way.
  output logic                   busy_o,
  /// A beat is wanted from memory.
  output logic                   fetch_valid_o,
  /// The request is taken.
  input  logic                   fetch_ready_i,
  /// Its byte address.
  output logic [39:0]            fetch_address_o,
  /// The beat.
  input  logic                   answer_valid_i,
  /// The beat.
  input  logic [8*BeatBytes-1:0] answer_i
);
  localparam int unsigned SizeBits  = $clog2(BeatBytes);
  localparam int unsigned TagBits   = 40 - SizeBits;
  localparam int unsigned EntryBits = SizeBits - 2;

  logic [1:0]             held_q;       // which of the two beats are valid
  logic [TagBits-1:0]     tag0_q, tag1_q, tag, want, following;
  logic [8*BeatBytes-1:0] beat0_q, beat1_q;
  logic                   hit0, hit1, present, fetch_q, busy_q, victim_q, start, none;

  assign tag       = entry_i[39:SizeBits];
  assign hit0      = held_q[0] && tag0_q == tag;
  assign hit1      = held_q[1] && tag1_q == tag;
  assign none      = tag == final_i[39:SizeBits] && !again_i;
  assign following = tag == final_i[39:SizeBits] ? first_i[39:SizeBits] : tag + 1'b1;
  assign want      = hit0 || hit1 ? following : tag;
  assign present   = (held_q[0] && tag0_q == want) || (held_q[1] && tag1_q == want)
                     || ((hit0 || hit1) && none);
  assign start     = active_i && !busy_q && !present;

  assign hit_o  = hit0 || hit1;
  assign id_o   = hit0 ? beat0_q[{entry_i[SizeBits-1:2], 5'd0} +: 32]
                       : beat1_q[{entry_i[SizeBits-1:2], 5'd0} +: 32];
  assign busy_o = busy_q;

  assign fetch_valid_o   = fetch_q;
  assign fetch_address_o = {victim_q ? tag1_q : tag0_q, SizeBits'(0)};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_q  <= '0;
      fetch_q <= 1'b0;
      busy_q  <= 1'b0;
    end else begin
      if (start) begin
        busy_q       <= 1'b1;
        fetch_q      <= 1'b1;
        held_q[hit0] <= 1'b0;
      end else if (fetch_ready_i) begin
        fetch_q <= 1'b0;
      end
      if (answer_valid_i) begin
        busy_q           <= 1'b0;
        held_q[victim_q] <= 1'b1;
      end
      if (flush_i) held_q <= '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start) begin
      victim_q <= hit0;
      if (hit0) tag1_q <= want;
      else tag0_q <= want;
    end
    if (answer_valid_i && !victim_q) beat0_q <= answer_i;
    if (answer_valid_i && victim_q) beat1_q <= answer_i;
  end

  logic unused;
  assign unused = ^{entry_i[1:0], first_i[SizeBits-1:0], final_i[SizeBits-1:0],
                    EntryBits[0]};
endmodule

/// The best keys of every slot: two binary min-heaps a slot, in memory.
///
/// A key is an unsigned number, never 0 or all ones. A heap always holds Candidates keys; places
/// without one hold 0, so the root is the key that a new one has to beat. Two operations: replace
/// the root if the key is greater, and pop, which replaces the root by all ones. The two halves of
/// the memory (bank) are heaps of their own.
///
/// Nodes are numbered from 1; node i has the children 2i and 2i + 1, which lie side by side in word
/// i of the memory (word Candidates / 2, the only one with a single child, is word 0; its right half
/// is never used). Roots have a small memory of their own. An operation sinks a level every three
/// cycles: read the children, compare, write; three of them share the ports. An operation starts
/// six cycles after the last one at the earliest, so it stays two levels behind that one, and no
/// node is read before it is written.
module tt_head_heap #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Keys of a heap, a power of two, at least 8.
  parameter int unsigned Candidates = 256,
  /// Bits of a key.
  parameter int unsigned KeyBits = 72,
  /// `ram_style` of the memory: "block" or "ultra".
  parameter              Style = "ultra",
  /// Bits of a slot number.
  localparam int unsigned SlotBits = Slots > 1 ? $clog2(Slots) : 1,
  /// Bits of a word number in a heap.
  localparam int unsigned PairBits = $clog2(Candidates) - 1
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low: no operation. The heaps have to be cleared.
  input  logic                rst_ni,
  /// Bank of operations and clearing. Changes while idle_o is high.
  input  logic                bank_i,
  /// Empties a heap; holds until ready. Only while idle_o is high.
  input  logic                clear_valid_i,
  /// The heap is empty at the end of this cycle.
  output logic                clear_ready_o,
  /// Slot to clear.
  input  logic [SlotBits-1:0] clear_slot_i,
  /// An operation is offered; holds until ready.
  input  logic                op_valid_i,
  /// The operation is started, or dropped because its key is not above the root.
  output logic                op_ready_o,
  /// Pop instead of replace.
  input  logic                op_pop_i,
  /// Slot of the operation.
  input  logic [SlotBits-1:0] op_slot_i,
  /// Key of a replace.
  input  logic [KeyBits-1:0]  op_key_i,
  /// The root before the operation, while op_ready_o is high.
  output logic [KeyBits-1:0]  op_root_o,
  /// Reads a root of the bank for a threshold: the key one cycle later; holds.
  input  logic                root_read_i,
  /// Bank of the root to read.
  input  logic                root_bank_i,
  /// Slot of the root to read.
  input  logic [SlotBits-1:0] root_slot_i,
  /// The root.
  output logic [KeyBits-1:0]  root_o,
  /// It was written in the cycle of the read: root_o means nothing.
  output logic                root_stale_o,
  /// Reads a word of a heap of bank 0; holds until ready.
  input  logic                peek_valid_i,
  /// The word is at peek_left_o, peek_right_o in the next cycle.
  output logic                peek_ready_o,
  /// Slot to read.
  input  logic [SlotBits-1:0] peek_slot_i,
  /// Word to read.
  input  logic [PairBits-1:0] peek_pair_i,
  /// Left half of the word.
  output logic [KeyBits-1:0]  peek_left_o,
  /// Right half of the word.
  output logic [KeyBits-1:0]  peek_right_o,
  /// No operation is on its way.
  output logic                idle_o
);
  localparam int unsigned NodeBits = PairBits + 2;  // 1..Candidates
  localparam int unsigned Depth    = 2 ** (1 + SlotBits + PairBits);
  localparam int unsigned Spacing  = 3;  // cycles from a start to the next look at a root

  if (Candidates < 8 || 2 ** $clog2(Candidates) != Candidates) begin : gen_bad_candidates
    $fatal(1, "tt_head_heap: Candidates must be a power of two and at least 8");
  end

  // ---- start: root read, compared, replaced ------------------------------------------------------
  typedef enum logic [1:0] {
    Look,
    Compare,
    Start
  } state_e;

  state_e             state_q;
  logic [1:0]         gap_q;
  logic               look, start, drop, greater_q, sink_valid_q;
  logic [KeyBits-1:0] front_root;

  assign look       = state_q == Look && op_valid_i && gap_q == '0;
  assign start      = state_q == Start && greater_q && !sink_valid_q;
  assign drop       = state_q == Start && !greater_q;
  assign op_ready_o = start | drop;
  assign op_root_o  = front_root;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Look;
      gap_q   <= '0;
    end else begin
      unique case (state_q)
        Look:    if (look) state_q <= Compare;
        Compare: state_q <= Start;
        default: if (op_ready_o) state_q <= Look;
      endcase
      if (start) gap_q <= 2'(Spacing);
      else if (gap_q != '0) gap_q <= gap_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Compare) greater_q <= op_pop_i | (op_key_i > front_root);
  end

  // ---- sink: children read, compared, one of three keys written ----------------------------------
  logic                read_valid, compare_valid_q, write_valid_q;
  logic [SlotBits-1:0] read_slot, sink_slot_q, compare_slot_q, write_slot_q;
  logic [NodeBits-1:0] read_node, sink_node_q, compare_node_q, write_node_q;
  logic [KeyBits-1:0]  read_key, sink_key_q, compare_key_q, write_key_q;
  logic                read_leaf, compare_leaf_q, compare_single, stop_q, swapped_q;
  logic [KeyBits-1:0]  left, right, left_q, right_q, write_data;

  assign read_valid = sink_valid_q | start;
  assign read_slot  = sink_valid_q ? sink_slot_q : op_slot_i;
  assign read_node  = sink_valid_q ? sink_node_q : NodeBits'(1);
  assign read_key   = sink_valid_q ? sink_key_q : op_key_i | {KeyBits{op_pop_i}};
  assign read_leaf  = read_node > NodeBits'(Candidates / 2);

  // The last node with a child has one alone.
  assign compare_single = compare_node_q == NodeBits'(Candidates / 2);

  always_comb begin
    if (clear_valid_i) write_data = '0;
    else if (stop_q) write_data = write_key_q;
    else write_data = swapped_q ? right_q : left_q;
  end

  assign idle_o     = state_q == Look && !op_valid_i && !sink_valid_q && !compare_valid_q
                      && !write_valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      compare_valid_q <= 1'b0;
      write_valid_q   <= 1'b0;
      sink_valid_q    <= 1'b0;
    end else begin
      compare_valid_q <= read_valid;
      write_valid_q   <= compare_valid_q;
      sink_valid_q    <= write_valid_q & ~stop_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (read_valid) begin
      compare_slot_q <= read_slot;
      compare_node_q <= read_node;
      compare_key_q  <= read_key;
      compare_leaf_q <= read_leaf;
    end
    if (compare_valid_q) begin
      write_slot_q <= compare_slot_q;
      write_node_q <= compare_node_q;
      write_key_q  <= compare_key_q;
      left_q       <= left;
      right_q      <= right;
      stop_q       <= compare_leaf_q | (compare_key_q <= left
                                        && (compare_single || compare_key_q <= right));
      swapped_q    <= right < left && !compare_single;
    end
    if (write_valid_q) begin
      sink_slot_q <= write_slot_q;
      sink_key_q  <= write_key_q;
      sink_node_q <= {write_node_q[NodeBits-2:0], swapped_q};
    end
  end

  // ---- clearing ----------------------------------------------------------------------------------
  logic [PairBits-1:0] clear_pair_q;

  assign clear_ready_o = clear_valid_i & (clear_pair_q == '1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) clear_pair_q <= '0;
    else if (clear_valid_i) clear_pair_q <= clear_pair_q + 1'b1;
  end

  // ---- memories ----------------------------------------------------------------------------------
  localparam int unsigned AddressBits = 1 + SlotBits + PairBits;

  logic                   write_root, write_left, write_right, pair_read;
  logic [AddressBits-1:0] write_address, read_address;
  logic [SlotBits:0]      write_root_address;

  // A node lies in the word of its parent.
  assign write_root         = clear_valid_i | (write_valid_q & (write_node_q == NodeBits'(1)));
  assign write_left         = clear_valid_i
                              | (write_valid_q & (write_node_q != NodeBits'(1)) & ~write_node_q[0]);
  assign write_right        = clear_valid_i
                              | (write_valid_q & (write_node_q != NodeBits'(1)) & write_node_q[0]);
  assign write_root_address = {bank_i, clear_valid_i ? clear_slot_i : write_slot_q};
  assign write_address      = {write_root_address,
                               clear_valid_i ? clear_pair_q : write_node_q[PairBits:1]};

  assign peek_ready_o = peek_valid_i & ~read_valid;
  assign pair_read    = peek_ready_o | (read_valid & ~read_leaf);
  assign read_address = read_valid ? {bank_i, read_slot, read_node[PairBits-1:0]}
                                   : {1'b0, peek_slot_i, peek_pair_i};
  assign peek_left_o  = left;
  assign peek_right_o = right;

  tt_ram #(
    .Width(KeyBits),
    .Depth(Depth),
    .Style(Style)
  ) u_left (
    .clk_i,
    .write_i        (write_left),
    .write_address_i(write_address),
    .write_data_i   (write_data),
    .read_i         (pair_read),
    .read_address_i (read_address),
    .read_data_o    (left)
  );

  tt_ram #(
    .Width(KeyBits),
    .Depth(Depth),
    .Style(Style)
  ) u_right (
    .clk_i,
    .write_i        (write_right),
    .write_address_i(write_address),
    .write_data_i   (write_data),
    .read_i         (pair_read),
    .read_address_i (read_address),
    .read_data_o    (right)
  );

  // The roots twice: one read port for operations, one for thresholds.
  tt_ram #(
    .Width(KeyBits),
    .Depth(2 ** (SlotBits + 1)),
    .Style("distributed")
  ) u_roots (
    .clk_i,
    .write_i        (write_root),
    .write_address_i(write_root_address),
    .write_data_i   (write_data),
    .read_i         (look),
    .read_address_i ({bank_i, op_slot_i}),
    .read_data_o    (front_root)
  );

  tt_ram #(
    .Width(KeyBits),
    .Depth(2 ** (SlotBits + 1)),
    .Style("distributed")
  ) u_thresholds (
    .clk_i,
    .write_i        (write_root),
    .write_address_i(write_root_address),
    .write_data_i   (write_data),
    .read_i         (root_read_i),
    .read_address_i ({root_bank_i, root_slot_i}),
    .read_data_o    (root_o)
  );

  always_ff @(posedge clk_i) begin
    if (root_read_i) begin
      root_stale_o <= write_root & (write_root_address == {root_bank_i, root_slot_i});
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!clear_valid_i || idle_o);
      assert (!look || !write_valid_q || write_node_q != NodeBits'(1));
    end
  end
`endif
endmodule

/// The slots of a pass: written record by record, then page by page, read by everybody at once.
module tt_slot_file
#(
  /// Slots of the card.
  parameter int unsigned Slots = 16,
  /// Rows of a KV page, a power of two.
  parameter int unsigned PageRows = 16
) (
  /// Clock.
  input  logic                      clk_i,
  /// A record is written.
  input  logic                      record_i,
  /// A page is written.
  input  logic                      page_i,
  /// To this slot.
  input  logic [7:0]                slot_i,
  /// The record; its page is unspecified.
  input  tt_card_pkg::slot_t                     data_i,
  /// The page.
  input  logic [31:0]               page_data_i,
  /// Address of the page table entry of the row of slot_i.
  output logic [39:0]               page_address_o,
  /// Another slot.
  input  logic [7:0]                ask_i,
  /// Address of the page table entry of the row of ask_i.
  output logic [39:0]               ask_address_o,
  /// All slots, slot 0 lowest.
  output logic [tt_card_pkg::SlotBits*Slots-1:0] slot_o
);
  localparam int unsigned PageShift = $clog2(PageRows);

  if (2 ** PageShift != PageRows || PageRows < 2) begin : gen_bad_page
    $fatal(1, "tt_slot_file: PageRows must be a power of two, at least 2");
  end

  logic [72*Slots-1:0] keys;  // page table and row of every slot
  logic [71:0]         key, ask;

  for (genvar s = 0; s < Slots; s++) begin : gen_slot
    tt_card_pkg::slot_t slot_q;

    always_ff @(posedge clk_i) begin
      if (record_i && slot_i == 8'(s)) slot_q <= data_i;
      if (page_i && slot_i == 8'(s)) slot_q.page <= page_data_i;
    end
    assign slot_o[tt_card_pkg::SlotBits*s +: tt_card_pkg::SlotBits] = slot_q;
    assign keys[72*s +: 72]               = {slot_q.page_table, slot_q.row};
  end

  always_comb begin
    key = keys[71:0];
    ask = keys[71:0];
    for (int unsigned s = 1; s < Slots; s++) begin
      if (slot_i == 8'(s)) key = keys[72*s +: 72];
      if (ask_i == 8'(s)) ask = keys[72*s +: 72];
    end
  end

  // Entry row / PageRows, four bytes each.
  assign page_address_o = key[71:32] + 40'({key[31:PageShift], 2'b00});
  assign ask_address_o  = ask[71:32] + 40'({ask[31:PageShift], 2'b00});

  logic unused;
  assign unused = ^{key[PageShift-1:0], ask[PageShift-1:0]};
endmodule

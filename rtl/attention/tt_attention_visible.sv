/// Which rows of a page a slot sees: those before its history, and those of its mask after it.
///
/// A result three cycles after its question, one a cycle.
module tt_attention_visible #(
  /// Slots.
  parameter int unsigned Slots = 16,
  /// Rows of a page, at most 32.
  parameter int unsigned PageRows = 16
) (
  /// Clock.
  input  logic                                        clk_i,
  /// The slots.
  input  logic [Slots-1:0][tt_card_pkg::SlotBits-1:0] slot_i,
  /// A question.
  input  logic                                        valid_i,
  /// Slot.
  input  logic [7:0]                                  index_i,
  /// First row of the page.
  input  logic [31:0]                                 row_i,
  /// Bit r: row r of the page is seen; three cycles after.
  output logic [PageRows-1:0]                         visible_o
);
  localparam int unsigned IndexBits = Slots > 1 ? $clog2(Slots) : 1;
  localparam int unsigned ShiftBits = $clog2(PageRows + 1);

  tt_card_pkg::slot_t   slot;
  logic [31:0]          history_q, mask_q, mask2_q, row_q;
  logic signed [32:0]   past, past_q;  // first row less history
  logic [1:0]           valid_q;
  logic [ShiftBits-1:0] rest;

  assign slot   = slot_i[index_i[IndexBits-1:0]];
  assign past   = signed'({1'b0, row_q}) - signed'({1'b0, history_q});
  assign rest   = ShiftBits'(-past_q);  // rows before the history, where that is 0..PageRows

  always_ff @(posedge clk_i) begin
    valid_q <= {valid_q[0], valid_i};
    if (valid_i) begin
      history_q <= slot.history;
      mask_q    <= slot.mask;
      row_q     <= row_i;
    end
    if (valid_q[0]) begin
      past_q  <= past;
      mask2_q <= mask_q;
    end
    if (valid_q[1]) begin
      if (past_q >= 33'sd32) visible_o <= '0;
      else if (past_q >= 33'sd0) visible_o <= PageRows'(mask2_q >> past_q[4:0]);
      else if (past_q > -33'sd1 * 33'(PageRows)) begin
        visible_o <= ~({PageRows{1'b1}} << rest) | (PageRows'(mask2_q) << rest);
      end else visible_o <= '1;
    end
  end

  logic unused;
  assign unused = ^{slot, index_i};
endmodule

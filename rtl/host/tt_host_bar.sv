/// BAR0: the card's registers in the lower 4 KiB, those of the host interface in the upper.
///
/// A write and a read at a time, each taken as the block behind takes it; an answer goes back before
/// the next access of its kind is taken.
module tt_host_bar (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low: no access.
  input  logic        rst_ni,

  /// From the bridge, AXI4-Lite.
  input  logic        s_axil_awvalid_i,
  /// Bridge.
  output logic        s_axil_awready_o,
  /// Bridge: byte offset; bit 12 chooses the block.
  input  logic        s_axil_awaddr_i,
  /// Bridge.
  input  logic        s_axil_wvalid_i,
  /// Bridge.
  output logic        s_axil_wready_o,
  /// Bridge.
  output logic        s_axil_bvalid_o,
  /// Bridge.
  input  logic        s_axil_bready_i,
  /// Bridge.
  output logic [1:0]  s_axil_bresp_o,
  /// Bridge.
  input  logic        s_axil_arvalid_i,
  /// Bridge.
  output logic        s_axil_arready_o,
  /// Bridge: byte offset; bit 12 chooses the block.
  input  logic        s_axil_araddr_i,
  /// Bridge.
  output logic        s_axil_rvalid_o,
  /// Bridge.
  input  logic        s_axil_rready_i,
  /// Bridge.
  output logic [31:0] s_axil_rdata_o,
  /// Bridge.
  output logic [1:0]  s_axil_rresp_o,

  /// To the blocks: bit or field 0 the card, 1 the host interface.
  output logic [1:0]  awvalid_o,
  /// Blocks.
  input  logic [1:0]  awready_i,
  /// Blocks.
  output logic [1:0]  wvalid_o,
  /// Blocks.
  input  logic [1:0]  wready_i,
  /// Blocks.
  input  logic [1:0]  bvalid_i,
  /// Blocks.
  output logic [1:0]  bready_o,
  /// Blocks.
  input  logic [3:0]  bresp_i,
  /// Blocks.
  output logic [1:0]  arvalid_o,
  /// Blocks.
  input  logic [1:0]  arready_i,
  /// Blocks.
  input  logic [1:0]  rvalid_i,
  /// Blocks.
  output logic [1:0]  rready_o,
  /// Blocks.
  input  logic [63:0] rdata_i,
  /// Blocks.
  input  logic [3:0]  rresp_i
);
  // One bit each: the block of the access that is open.
  logic       writing_q, written_q, reading_q;  // written: its data are taken
  logic [1:0] write_q, read_q, write_to, read_to;

  assign write_to = s_axil_awaddr_i ? 2'b10 : 2'b01;
  assign read_to  = s_axil_araddr_i ? 2'b10 : 2'b01;

  assign awvalid_o        = s_axil_awvalid_i && !writing_q ? write_to : '0;
  assign s_axil_awready_o = !writing_q && (awready_i & write_to) != '0;
  assign wvalid_o         = s_axil_wvalid_i && writing_q && !written_q ? write_q : '0;
  assign s_axil_wready_o  = writing_q && !written_q && (wready_i & write_q) != '0;
  assign s_axil_bvalid_o  = writing_q && (bvalid_i & write_q) != '0;
  assign bready_o         = s_axil_bready_i && writing_q ? write_q : '0;
  assign s_axil_bresp_o   = write_q[1] ? bresp_i[3:2] : bresp_i[1:0];

  assign arvalid_o        = s_axil_arvalid_i && !reading_q ? read_to : '0;
  assign s_axil_arready_o = !reading_q && (arready_i & read_to) != '0;
  assign s_axil_rvalid_o  = reading_q && (rvalid_i & read_q) != '0;
  assign rready_o         = s_axil_rready_i && reading_q ? read_q : '0;
  assign s_axil_rdata_o   = read_q[1] ? rdata_i[63:32] : rdata_i[31:0];
  assign s_axil_rresp_o   = read_q[1] ? rresp_i[3:2] : rresp_i[1:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      writing_q <= 1'b0;
      written_q <= 1'b0;
      reading_q <= 1'b0;
      write_q   <= '0;
      read_q    <= '0;
    end else begin
      if (s_axil_awvalid_i && s_axil_awready_o) begin
        writing_q <= 1'b1;
        write_q   <= write_to;
      end else if (s_axil_bvalid_o && s_axil_bready_i) begin
        writing_q <= 1'b0;
      end
      written_q <= writing_q & (written_q | (s_axil_wvalid_i & s_axil_wready_o));
      if (s_axil_arvalid_i && s_axil_arready_o) begin
        reading_q <= 1'b1;
        read_q    <= read_to;
      end else if (s_axil_rvalid_o && s_axil_rready_i) begin
        reading_q <= 1'b0;
      end
    end
  end
endmodule

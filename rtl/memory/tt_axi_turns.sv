/// Takes the requests of two masters in turns, into a register in front of all ports of a memory.
module tt_axi_turns #(
  /// AXI4 ports of the memory.
  parameter int unsigned Ports = 1
) (
  /// Clock.
  input  logic                 clk_i,
  /// Asynchronous reset, active low: no request.
  input  logic                 rst_ni,
  /// Master m asks all ports.
  input  logic [1:0]           valid_i,
  /// A request may be taken.
  input  logic                 room_i,
  /// Byte addresses: port p of master m has field m * Ports + p.
  input  logic [128*Ports-1:0] address_i,
  /// Transfers less one, likewise.
  input  logic [16*Ports-1:0]  length_i,
  /// A request is taken.
  output logic                 take_o,
  /// Whose.
  output logic                 master_o,
  /// To the ports; a cycle after take_o.
  output logic [Ports-1:0]     valid_o,
  /// A port takes it.
  input  logic [Ports-1:0]     ready_i,
  /// Byte addresses.
  output logic [64*Ports-1:0]  address_o,
  /// Transfers less one.
  output logic [8*Ports-1:0]   length_o
);
  logic last_q;  // who had the last turn

  assign master_o = valid_i == 2'b11 ? ~last_q : valid_i[1];
  assign take_o   = valid_i != '0 && room_i && (valid_o & ~ready_i) == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_o <= '0;
      last_q  <= 1'b1;
    end else begin
      valid_o <= take_o ? '1 : valid_o & ~ready_i;
      if (take_o) last_q <= master_o;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_o) begin
      address_o <= master_o ? address_i[128*Ports-1:64*Ports] : address_i[64*Ports-1:0];
      length_o  <= master_o ? length_i[16*Ports-1:8*Ports] : length_i[8*Ports-1:0];
    end
  end
endmodule

/// Runs `check`: the CRC-32C of pages of 4,096 bytes against a table.
///
/// 16 bytes a cycle, so that it costs the memory a part of its bandwidth. Both pages and table are
/// streams of their own.
module tt_check #(
  /// Bytes of a beat, a power of two, 4 to 1024.
  parameter int unsigned BeatBytes = 64
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                   rst_ni,
  /// A command is offered.
  input  logic                   cmd_valid_i,
  /// The command is taken.
  output logic                   cmd_ready_o,
  /// The command: tt_command_pkg::check_t, checked.
  input  logic [511:0]           cmd_i,
  /// The command is done, a pulse.
  output logic                   done_o,
  /// A command is being worked on.
  output logic                   busy_o,
  /// A page has another CRC than the table, a pulse.
  output logic                   error_o,
  /// The address of the page; with error_o.
  output logic [39:0]            error_address_o,
  /// Pages: a burst is requested.
  output logic                   rd_valid_o,
  /// Pages: the request is taken.
  input  logic                   rd_ready_i,
  /// Pages: byte address of the burst.
  output logic [39:0]            rd_address_o,
  /// Pages: beats of the burst.
  output logic [4:0]             rd_beats_o,
  /// Pages: a beat comes.
  input  logic                   rd_data_valid_i,
  /// Pages: the beat.
  input  logic [8*BeatBytes-1:0] rd_data_i,
  /// Table: a burst is requested.
  output logic                   crc_valid_o,
  /// Table: the request is taken.
  input  logic                   crc_ready_i,
  /// Table: byte address of the burst.
  output logic [39:0]            crc_address_o,
  /// Table: beats of the burst.
  output logic [4:0]             crc_beats_o,
  /// Table: a beat comes.
  input  logic                   crc_data_valid_i,
  /// Table: the beat.
  input  logic [8*BeatBytes-1:0] crc_data_i
);
  localparam int unsigned PageBytes = 4096;
  localparam int unsigned Bytes     = BeatBytes < 16 ? BeatBytes : 16;
  localparam int unsigned Steps     = PageBytes / Bytes;  // of a page
  localparam int unsigned StepBits  = $clog2(Steps);
  localparam int unsigned PartBits  = BeatBytes > Bytes ? $clog2(BeatBytes / Bytes) : 1;
  localparam int unsigned Values    = BeatBytes / 4;      // of a beat of the table
  localparam int unsigned ValueBits = Values > 1 ? $clog2(Values) : 1;

  typedef enum logic [2:0] { Idle, Pages, Settle, Drain, Compare, Done } state_e;

  tt_command_pkg::check_t command;
  state_e                 state_q;
  logic [31:0]            left_q;   // pages to come, the present one included
  logic [39:0]            page_q;   // its address
  logic [StepBits-1:0]    step_q;
  logic [ValueBits-1:0]   value_q;
  logic                   start, page_valid, page_ready, table_valid, table_ready, step, last_value;
  logic                   page_start_ready, table_start_ready;
  logic [8*BeatBytes-1:0] page_data, table_data;
  logic [8*Bytes-1:0]     bytes;
  logic [31:0]            crc, value;

  assign command = cmd_i;
  assign start   = cmd_valid_i & cmd_ready_o;

  tt_beat_reader #(.BeatBytes(BeatBytes)) u_pages (
    .clk_i,
    .rst_ni,
    .start_valid_i  (start),
    .start_ready_o  (page_start_ready),
    .start_address_i(command.address),
    .start_beats_i  (command.pages * (PageBytes / BeatBytes)),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .beat_valid_o   (page_valid),
    .beat_ready_i   (page_ready),
    .beat_data_o    (page_data)
  );

  tt_beat_reader #(
    .BeatBytes(BeatBytes),
    .FifoDepth(16)
  ) u_table (
    .clk_i,
    .rst_ni,
    .start_valid_i  (start),
    .start_ready_o  (table_start_ready),
    .start_address_i(command.crcs),
    .start_beats_i  ((command.pages + Values - 1) / Values),
    .rd_valid_o     (crc_valid_o),
    .rd_ready_i     (crc_ready_i),
    .rd_address_o   (crc_address_o),
    .rd_beats_o     (crc_beats_o),
    .rd_data_valid_i(crc_data_valid_i),
    .rd_data_i      (crc_data_i),
    .beat_valid_o   (table_valid),
    .beat_ready_i   (table_ready),
    .beat_data_o    (table_data)
  );

  // ---- a page ----------------------------------------------------------------------------------
  assign step = state_q == Pages && page_valid;

  if (BeatBytes > Bytes) begin : gen_parts
    logic [PartBits-1:0] part;
    assign part       = step_q[PartBits-1:0];
    assign bytes      = page_data[8*Bytes*part +: 8*Bytes];
    assign page_ready = step && part == '1;
  end else begin : gen_whole
    assign bytes      = page_data;
    assign page_ready = step;
  end

  tt_crc32c #(.Bytes(Bytes)) u_crc (
    .clk_i,
    .clear_i(state_q == Idle || state_q == Compare),
    .valid_i(step),
    .data_i (bytes),
    .crc_o  (crc)
  );

  // ---- its value -------------------------------------------------------------------------------
  assign value       = table_data[32*value_q +: 32];
  assign last_value  = 32'(value_q) == Values - 1 || left_q == 32'd1;
  assign table_ready = state_q == Compare && last_value;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      left_q  <= '0;
      step_q  <= '0;
      value_q <= '0;
    end else begin
      case (state_q)
        Idle: begin
          if (start) state_q <= Pages;
          left_q  <= command.pages;
          value_q <= '0;
        end
        Pages: begin
          if (step) begin
            step_q <= step_q + 1'b1;
            if (step_q == '1) state_q <= Settle;
          end
        end
        Settle: state_q <= Drain;
        Drain:  if (table_valid) state_q <= Compare;
        Compare: begin
          left_q  <= left_q - 1'b1;
          value_q <= last_value ? '0 : value_q + 1'b1;
          state_q <= left_q == 32'd1 ? Done : Pages;
        end
        default: state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) page_q <= command.address;
    else if (state_q == Compare) page_q <= page_q + 40'(PageBytes);
  end

  assign cmd_ready_o     = state_q == Idle && page_start_ready && table_start_ready;
  assign done_o          = state_q == Done;
  assign busy_o          = state_q != Idle;
  assign error_o         = state_q == Compare && crc != value;
  assign error_address_o = page_q;

  logic unused;
  assign unused = ^command;
endmodule

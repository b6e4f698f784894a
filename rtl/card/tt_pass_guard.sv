/// Watches a pass: the first error stops it, and so does standing still.
///
/// Stopping: halt_o tells the memory unit to make no more accesses, so that every unit that still
/// runs gets zeros. When the accesses under way are answered, or after waiting long enough for
/// them, all units are reset, and the error is reported. The card is ready for the next pass then.
module tt_pass_guard
#(
  /// Units.
  parameter int unsigned Units = 6,
  /// A pass that does nothing for 2 ** WatchdogBits cycles is stopped.
  parameter int unsigned WatchdogBits = 24,
  /// Cycles of the reset of the units.
  parameter int unsigned ResetCycles = 8
) (
  /// Clock.
  input  logic                clk_i,
  /// Asynchronous reset, active low.
  input  logic                rst_ni,
  /// A pass starts: the last error is forgotten.
  input  logic                start_i,
  /// A pass runs.
  input  logic                active_i,
  /// The pass waits for a step: standing still is fine.
  input  logic                paused_i,
  /// Something moved.
  input  logic                progress_i,
  /// Units with unfinished commands.
  input  logic [Units-1:0]    unfinished_i,
  /// Index of each unit's oldest unfinished command.
  input  logic [16*Units-1:0] oldest_i,
  /// The sequencer found an error.
  input  logic                own_error_i,
  /// Which.
  input  tt_card_pkg::error_e              own_code_i,
  /// In which command.
  input  logic [15:0]         own_command_i,
  /// At which address.
  input  logic [39:0]         own_address_i,
  /// A memory access failed.
  input  logic                memory_error_i,
  /// How: the low bits of the error code.
  input  logic [3:0]          memory_kind_i,
  /// Where.
  input  logic [39:0]         memory_address_i,
  /// A row that is written has a page outside the cache.
  input  logic                page_error_i,
  /// A page table of an attention names a page outside the cache.
  input  logic                table_error_i,
  /// A page of memory has another checksum.
  input  logic                checksum_error_i,
  /// Which page.
  input  logic [39:0]         checksum_address_i,
  /// The host ends the pass.
  input  logic                abort_i,
  /// No memory access is under way.
  input  logic                quiet_i,
  /// The pass is being stopped.
  output logic                failing_o,
  /// The memory makes no more accesses.
  output logic                halt_o,
  /// Nor does it take requests: units that never stop asking.
  output logic                block_o,
  /// Reset of everything that works on a pass, active low.
  output logic                unit_rst_no,
  /// The pass is stopped, for one cycle.
  output logic                failed_o,
  /// Why; until the next pass.
  output tt_card_pkg::error_e              code_o,
  /// In which command.
  output logic [15:0]         command_o,
  /// At which address.
  output logic [39:0]         address_o
);
  // Cycles until the halt has reached the memory unit.
  localparam int unsigned Settle    = 16;
  // Until units get no more zeros.
  localparam int unsigned BlockBits = WatchdogBits > 12 ? 12 : WatchdogBits - 1;
  localparam int unsigned ResetBits = $clog2(ResetCycles + 1);

  if (WatchdogBits < 5) begin : gen_bad_watchdog
    $fatal(1, "tt_pass_guard: WatchdogBits must be at least 5");
  end

  typedef enum logic [1:0] { Watch, Halt, Reset, Report } state_e;

  state_e                  state_q;
  logic [WatchdogBits-1:0] still_q;  // cycles in which nothing moved
  logic [ResetBits-1:0]    reset_q;
  logic                    unit_rst_q, error, timeout;
  tt_card_pkg::error_e                  code, code_q;
  logic [15:0]             command, command_q, oldest;
  logic [39:0]             address, address_q;

  assign timeout = still_q == '1;

  // The oldest unfinished command of all, or the one that the sequencer works on.
  always_comb begin
    oldest = own_command_i;
    for (int unsigned u = 0; u < Units; u++) begin
      if (unfinished_i[u] && oldest_i[16*u +: 16] < oldest) oldest = oldest_i[16*u +: 16];
    end
  end

  // ---- the first error -------------------------------------------------------------------------
  always_comb begin
    error   = 1'b1;
    code    = own_code_i;
    command = own_command_i;
    address = '0;
    if (memory_error_i) begin
      code    = tt_card_pkg::error_e'({4'h2, memory_kind_i});
      address = memory_address_i;
      command = oldest;
    end else if (page_error_i) begin
      code    = tt_card_pkg::ErrPage;
      command = oldest_i[16*tt_command_pkg::UnitVector +: 16];
    end else if (table_error_i) begin
      code    = tt_card_pkg::ErrPage;
      command = oldest_i[16*tt_command_pkg::UnitAttention +: 16];
    end else if (checksum_error_i) begin
      code    = tt_card_pkg::ErrChecksum;
      command = oldest_i[16*tt_command_pkg::UnitCheck +: 16];
      address = checksum_address_i;
    end else if (own_error_i) begin
      address = own_address_i;
    end else if (abort_i) begin
      code = tt_card_pkg::ErrAborted;
    end else if (timeout) begin
      code    = tt_card_pkg::ErrTimeout;
      command = oldest;
    end else begin
      error = 1'b0;
    end
  end

  // ---- stopping --------------------------------------------------------------------------------
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q    <= Watch;
      still_q    <= '0;
      reset_q    <= '0;
      unit_rst_q <= 1'b0;
      code_q     <= tt_card_pkg::ErrNone;
      command_q  <= '0;
      address_q  <= '0;
    end else begin
      unit_rst_q <= state_q != Reset;
      if (start_i) begin
        code_q    <= tt_card_pkg::ErrNone;
        command_q <= '0;
        address_q <= '0;
      end
      case (state_q)
        Watch: begin
          reset_q <= '0;
          if (!active_i || paused_i || progress_i) still_q <= '0;
          else still_q <= still_q + 1'b1;
          if (active_i && error) begin
            state_q   <= Halt;
            still_q   <= '0;
            code_q    <= code;
            command_q <= command;
            address_q <= address;
          end
        end
        Halt: begin
          still_q <= still_q + 1'b1;
          if ((quiet_i && still_q >= WatchdogBits'(Settle)) || timeout) state_q <= Reset;
        end
        Reset: begin
          still_q <= '0;
          reset_q <= reset_q + 1'b1;
          if (reset_q == ResetBits'(ResetCycles)) state_q <= Report;
        end
        default: state_q <= Watch;
      endcase
    end
  end

  assign failing_o   = state_q != Watch || (active_i && error);
  assign halt_o      = state_q != Watch;
  assign block_o     = state_q == Halt && (still_q >> BlockBits) != '0;
  assign unit_rst_no = rst_ni & unit_rst_q;
  assign failed_o    = state_q == Report;
  assign code_o      = code_q;
  assign command_o   = command_q;
  assign address_o   = address_q;
endmodule

/// Works on the queue, one entry after the other: fetch, check, copy or pass, complete.
///
/// Clearing enable_i ends the entry at the next burst, without a completion. A bus that does not answer
/// for 2 ** WatchdogBits cycles leaves the queue hanging, for a reset to end: what was asked for may
/// still be answered, so nothing new must be.
module tt_host_queue #(
  /// A bus has not answered after 2 ** WatchdogBits cycles.
  parameter int unsigned WatchdogBits = 24
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                   rst_ni,
  /// The queue runs.
  input  logic                   enable_i,
  /// Entries that the host has written.
  input  logic [31:0]            tail_i,
  /// Entries completed; zero from the moment in which enable_i falls.
  output logic [31:0]            head_o,
  /// Entries completed, as the entry that is worked on has it.
  output logic [31:0]            index_o,
  /// An entry is worked on, or waits.
  output logic                   busy_o,
  /// The queue was stopped by an error, until enable_i falls.
  output logic                   stopped_o,
  /// Why.
  output tt_host_regs_pkg::host_status_e_e error_o,
  /// A completion was written.
  output logic                   completed_o,
  /// A pulse: vector 0, and 1, is to be asked for.
  output logic [1:0]             event_o,

  /// The rings are what they must be.
  input  logic                   ring_good_i,
  /// Fetch an entry.
  output logic                   fetch_o,
  /// It is there.
  input  logic                   fetched_i,
  /// The entry.
  input  tt_host_pkg::entry_t    entry_i,
  /// Write a completion.
  output logic                   complete_o,
  /// Its status.
  output tt_host_regs_pkg::host_status_e_e status_o,
  /// Its info.
  output logic [31:0]            info_o,
  /// It is written.
  input  logic                   completed_i,
  /// The bus failed; with fetched_i and completed_i.
  input  logic                   ring_error_i,

  /// Check the entry, a copy.
  output logic                   check_o,
  /// It is checked.
  input  logic                   checked_i,
  /// What was found.
  input  tt_host_regs_pkg::host_status_e_e check_status_i,
  /// Copy.
  output logic                   copy_o,
  /// The copy is to end.
  output logic                   copy_stop_o,
  /// It is over.
  input  logic                   copied_i,
  /// How.
  input  tt_host_regs_pkg::host_status_e_e copy_status_i,
  /// CRC-32C of its bytes.
  input  logic [31:0]            copy_crc_i,
  /// A handshake on a bus.
  input  logic                   progress_i,

  /// A pass is offered to the card.
  output logic                   pass_valid_o,
  /// The card begins it.
  input  logic                   pass_ready_i,
  /// The pass is to end.
  output logic                   pass_stop_o,
  /// It is complete.
  input  logic                   pass_done_i,
  /// It was stopped.
  input  logic                   pass_failed_i,
  /// Why.
  input  tt_card_pkg::error_e    pass_code_i,
  /// In which command.
  input  logic [15:0]            pass_command_i
);
  typedef enum logic [3:0] {
    Idle, Look, Fetch, Decode, Check, Copy, Offer, Pass, Report, Complete, Hung
  } state_e;

  state_e                  state_q;
  logic [31:0]             head_q, info_q;
  logic                    stop_q, stop, stopped_q, ready_q, timeout;
  logic [WatchdogBits-1:0] still_q;  // cycles without progress of the bus that is waited for
  tt_host_regs_pkg::host_status_e_e status_q, error_q, error;
  logic                    copies, waits;

  // Until the entry is over, the queue remembers that it was disabled.
  assign stop    = stop_q | ~enable_i;
  assign timeout = still_q == '1;
  assign waits   = state_q == Fetch || state_q == Copy || state_q == Complete;
  assign copies  = entry_i.opcode == tt_host_pkg::OpToCard
                   || entry_i.opcode == tt_host_pkg::OpFromCard;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= Idle;
      stop_q    <= 1'b0;
      stopped_q <= 1'b0;
      ready_q   <= 1'b0;
      head_q    <= '0;
      info_q    <= '0;
      still_q   <= '0;
      status_q  <= tt_host_regs_pkg::host_status_e__ok;
      error_q   <= tt_host_regs_pkg::host_status_e__ok;
      completed_o <= 1'b0;
      event_o     <= '0;
    end else begin
      stop_q      <= stop & (state_q != Idle);
      completed_o <= 1'b0;
      event_o     <= '0;
      // A cycle for the ring's check to see the head.
      ready_q     <= state_q == Idle && !stop && !stopped_q && tail_i != head_q;
      if (progress_i || !waits) still_q <= '0;
      else still_q <= still_q + 1'b1;

      case (state_q)
        Idle: begin
          if (stop) begin
            head_q    <= '0;
            stopped_q <= 1'b0;
            error_q   <= tt_host_regs_pkg::host_status_e__ok;
          end else if (ready_q) begin
            state_q <= Look;
          end
        end
        Look: begin
          if (stop || !ring_good_i) state_q <= Idle;
          else state_q <= Fetch;
        end
        Fetch: begin
          if (fetched_i) state_q <= stop || ring_error_i ? Idle : Decode;
        end
        Decode: begin
          status_q <= tt_host_regs_pkg::host_status_e__ok;
          info_q   <= '0;
          if (copies) state_q <= Check;
          else if (entry_i.opcode == tt_host_pkg::OpPass) state_q <= Offer;
          else begin
            state_q <= Report;
            if (entry_i.opcode != tt_host_pkg::OpNop) begin
              status_q <= tt_host_regs_pkg::host_status_e__opcode;
            end
          end
        end
        Check: begin
          if (checked_i) begin
            status_q <= check_status_i;
            state_q  <= check_status_i == tt_host_regs_pkg::host_status_e__ok ? Copy : Report;
          end
        end
        Copy: begin
          if (copied_i) begin
            state_q  <= Report;
            status_q <= copy_status_i;
            if (copy_status_i == tt_host_regs_pkg::host_status_e__ok) begin
              info_q <= copy_crc_i;
              if (entry_i.check && copy_crc_i != entry_i.crc) begin
                status_q <= tt_host_regs_pkg::host_status_e__checksum;
              end
            end
          end
        end
        Offer: begin
          if (stop) state_q <= Idle;
          else if (pass_ready_i) state_q <= Pass;
        end
        Pass: begin
          if (pass_done_i) state_q <= Report;
          else if (pass_failed_i) begin
            state_q  <= Report;
            status_q <= tt_host_regs_pkg::host_status_e__pass;
            info_q   <= {8'b0, pass_command_i, pass_code_i};
          end
        end
        Report: state_q <= stop || !ring_good_i ? Idle : Complete;
        Complete: begin
          if (completed_i) begin
            state_q <= Idle;
            if (!ring_error_i) begin
              head_q      <= head_q + 1'b1;
              completed_o <= 1'b1;
              event_o[0]  <= entry_i.irq & ~stop;
            end
          end
        end
        default: ;
      endcase

      if (timeout) state_q <= Hung;
      if (!stop && error != tt_host_regs_pkg::host_status_e__ok) begin
        stopped_q  <= 1'b1;
        error_q    <= error;
        event_o[1] <= 1'b1;
      end
    end
  end

  // ---- what stops the queue --------------------------------------------------------------------
  always_comb begin
    error = tt_host_regs_pkg::host_status_e__ok;
    case (state_q)
      Look, Report: if (!ring_good_i) error = tt_host_regs_pkg::host_status_e__ring;
      Fetch: begin
        if (fetched_i && ring_error_i) error = tt_host_regs_pkg::host_status_e__host_read;
      end
      Complete: begin
        if (completed_i) begin
          error = ring_error_i ? tt_host_regs_pkg::host_status_e__host_write : status_q;
        end
      end
      default: ;
    endcase
    if (timeout && state_q != Hung) error = tt_host_regs_pkg::host_status_e__timeout;
  end

  // ---- to the others ---------------------------------------------------------------------------
  assign fetch_o      = state_q == Look && !stop && ring_good_i;
  assign check_o      = state_q == Decode && copies;
  assign copy_o       = state_q == Check && checked_i
                        && check_status_i == tt_host_regs_pkg::host_status_e__ok;
  assign copy_stop_o  = stop;
  assign pass_valid_o = state_q == Offer && !stop;
  assign pass_stop_o  = state_q == Pass && stop;
  assign complete_o   = state_q == Report && !stop && ring_good_i;
  assign status_o     = status_q;
  assign info_o       = info_q;

  assign index_o   = head_q;
  assign head_o    = stop ? '0 : head_q;
  assign stopped_o = stopped_q & ~stop;
  assign error_o   = stop ? tt_host_regs_pkg::host_status_e__ok : error_q;
  assign busy_o    = state_q != Idle || (enable_i && !stopped_q && tail_i != head_q);

  logic unused;
  assign unused = ^entry_i;
endmodule

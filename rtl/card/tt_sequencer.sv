/// Runs passes: reads descriptor and program, checks every command, and starts each one in its unit
/// when what it waits for is finished. docs/card.md describes it.
///
/// A command takes five cycles from its record to the queue of its unit, during which earlier ones
/// run. An error of any kind ends the pass: tt_pass_guard.
module tt_sequencer
#(
  /// Slots of the card.
  parameter int unsigned Slots = 16,
  /// Rows of a tile.
  parameter int unsigned Rows = 7,
  /// Groups of three columns of a block.
  parameter int unsigned Groups = 15,
  /// Bytes of a beat, a power of two, at least 8.
  parameter int unsigned BeatBytes = 64,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 2048,
  /// Lanes of the vector unit, a power of two.
  parameter int unsigned Lanes = 8,
  /// Rows of a KV page, a power of two.
  parameter int unsigned PageRows = 16,
  /// Words of buffer X.
  parameter int unsigned ResidualWords = 8192,
  /// Words of buffer Y.
  parameter int unsigned WorkWords = 16384,
  /// Blocks of buffer A.
  parameter int unsigned ActBlocks = 192,
  /// Words of buffer Q.
  parameter int unsigned QueryWords = 1024,
  /// Words of a bank of buffer P.
  parameter int unsigned ParamWords = 1024,
  /// Longest head.
  parameter int unsigned HeadDimMax = 128,
  /// Most query heads.
  parameter int unsigned HeadsMax = 32,
  /// The configuration that programs of this card are made for.
  parameter logic [63:0] ConfigHash = 64'd0,
  /// A pass that does nothing for 2 ** WatchdogBits cycles is stopped.
  parameter int unsigned WatchdogBits = 24,
  /// Units.
  localparam int unsigned Units = 6
) (
  /// Clock.
  input  logic                      clk_i,
  /// Asynchronous reset, active low.
  input  logic                      rst_ni,
  /// A pass starts, if none runs.
  input  logic                      start_i,
  /// Address of its descriptor; with start_i and in the cycle after.
  input  logic [63:0]               address_i,
  /// The pass that runs is ended with an error.
  input  logic                      abort_i,
  /// Every command waits for a step.
  input  logic                      step_mode_i,
  /// A command may be dispatched.
  input  logic                      step_i,
  /// A pass runs.
  output logic                      busy_o,
  /// The pass waits for a step; all units are idle, except for the third panel of a row of
  /// multiplies.
  output logic                      paused_o,
  /// Index of the next command.
  output logic [15:0]               next_o,
  /// A pass is complete, for one cycle.
  output logic                      pass_done_o,
  /// Commands that were finished in this cycle.
  output logic [2:0]                commands_done_o,
  /// A pass was stopped by an error, for one cycle.
  output logic                      failed_o,
  /// Why; until the next pass.
  output tt_card_pkg::error_e                    code_o,
  /// In which command.
  output logic [15:0]               command_o,
  /// At which address.
  output logic [39:0]               address_o,
  /// Read client: a burst is requested.
  output logic                      rd_valid_o,
  /// Read client.
  input  logic                      rd_ready_i,
  /// Read client: address of the burst.
  output logic [39:0]               rd_address_o,
  /// Read client: beats of the burst.
  output logic [4:0]                rd_beats_o,
  /// Read client: a beat comes.
  input  logic                      rd_data_valid_i,
  /// Read client: the beat.
  input  logic [8*BeatBytes-1:0]    rd_data_i,
  /// The model; constant while commands of units run.
  output tt_card_pkg::model_t                    model_o,
  /// Slots of the pass; constant while commands run.
  output logic [7:0]                slots_o,
  /// The slots, slot 0 lowest; constant while commands run.
  output logic [tt_card_pkg::SlotBits*Slots-1:0] slot_o,
  /// Address of the results.
  output logic [39:0]               results_o,
  /// Address of the logits.
  output logic [39:0]               logits_o,
  /// To unit u: a command.
  output logic [Units-1:0]          cmd_valid_o,
  /// Unit u takes it.
  input  logic [Units-1:0]          cmd_ready_i,
  /// The commands, unit 0 lowest.
  output logic [512*Units-1:0]      cmd_o,
  /// Unit u has finished its oldest command.
  input  logic [Units-1:0]          done_i,
  /// A command of unit u waits for other units.
  output logic [Units-1:0]          waiting_o,
  /// Index of each unit's oldest unfinished command, or of its last one.
  output logic [16*Units-1:0]       unit_command_o,
  /// A beat of memory moved.
  input  logic                      beat_i,
  /// A memory access failed.
  input  logic                      memory_error_i,
  /// How: the low bits of the error code.
  input  logic [3:0]                memory_kind_i,
  /// Where.
  input  logic [39:0]               memory_address_i,
  /// No memory access is under way.
  input  logic                      memory_quiet_i,
  /// A row that is written has a page outside the cache.
  input  logic                      page_error_i,
  /// A page table of an attention names a page outside the cache.
  input  logic                      table_error_i,
  /// A page of memory has another checksum.
  input  logic                      checksum_error_i,
  /// Which page.
  input  logic [39:0]               checksum_address_i,
  /// The memory makes no more accesses: reads give zeros, writes are dropped.
  output logic                      halt_o,
  /// Nor does it take requests.
  output logic                      block_o,
  /// Reset of all units, active low.
  output logic                      unit_rst_no
);

  typedef enum logic [2:0] { Idle, Loading, Fetch, Check, Place, Model, Ending } state_e;

  state_e           state_q;
  logic [15:0]      index_q;
  logic             begun_q, normalised_q, token_q;
  logic             failing;
  logic [Units-1:0] room, unfinished;
  tt_card_pkg::pass_t            pass;

  // ---- reading ---------------------------------------------------------------------------------
  logic                   run_valid, run_ready, single, flush, loader_takes, load_done, load_error;
  logic [39:0]            run_address, load_address;
  logic [31:0]            run_beats;
  logic                   beat_valid, beat_ready, record_beat_ready, record_valid, record_taken;
  logic [8*BeatBytes-1:0] beat;
  logic [511:0]           record;
  tt_card_pkg::error_e                 load_code;

  tt_pass_loader #(
    .Slots    (Slots),
    .BeatBytes(BeatBytes),
    .PageRows (PageRows)
  ) u_loader (
    .clk_i,
    .rst_ni         (unit_rst_no),
    .start_i        (state_q == Idle && start_i),
    .address_i,
    .run_valid_o    (run_valid),
    .run_ready_i    (run_ready),
    .run_address_o  (run_address),
    .run_beats_o    (run_beats),
    .single_o       (single),
    .beat_valid_i   (beat_valid),
    .beat_data_i    (beat),
    .flush_o        (flush),
    .take_o         (loader_takes),
    .record_valid_i (record_valid),
    .record_i       (record),
    .done_o         (load_done),
    .error_o        (load_error),
    .code_o         (load_code),
    .error_address_o(load_address),
    .pass_o         (pass),
    .slot_o
  );

  tt_beat_reader #(.BeatBytes(BeatBytes)) u_reader (
    .clk_i,
    .rst_ni         (unit_rst_no),
    .start_valid_i  (run_valid),
    .start_ready_o  (run_ready),
    .start_address_i(run_address),
    .start_beats_i  (run_beats),
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .beat_valid_o   (beat_valid),
    .beat_ready_i   (beat_ready),
    .beat_data_o    (beat)
  );

  assign beat_ready = single | record_beat_ready;

  tt_record_reader #(.BeatBytes(BeatBytes)) u_records (
    .clk_i,
    .rst_ni        (unit_rst_no),
    .flush_i       (flush),
    .beat_valid_i  (beat_valid & ~single),
    .beat_ready_o  (record_beat_ready),
    .beat_data_i   (beat),
    .record_valid_o(record_valid),
    .record_ready_i(loader_takes | record_taken),
    .record_o      (record)
  );

  // ---- checking --------------------------------------------------------------------------------
  logic        check_start, check_done, takes, gives, model_start, model_done, head_fits;
  logic        is_begin, is_end, idle, resting, step_ready, push;
  logic [2:0]  unit, panels;
  logic [39:0] check_address;
  tt_card_pkg::error_e      check_code, model_code;
  tt_card_pkg::panel_t      panel, given;

  tt_command_check #(
    .Rows      (Rows),
    .Groups    (Groups),
    .PanelTiles(PanelTiles),
    .Lanes     (Lanes),
    .BeatBytes (BeatBytes),
    .ActBlocks (ActBlocks),
    .ParamWords(ParamWords)
  ) u_check (
    .clk_i,
    .rst_ni     (unit_rst_no),
    .start_i    (check_start),
    .command_i  (record),
    .begun_i    (begun_q),
    .model_i    (model_o),
    .head_fits_i(head_fits),
    .pass_i     (pass),
    .panels_i   (panels),
    .panel_i    (panel),
    .normalised_i(normalised_q),
    .done_o     (check_done),
    .code_o     (check_code),
    .address_o  (check_address),
    .unit_o     (unit),
    .takes_o    (takes),
    .gives_o    (gives),
    .given_o    (given)
  );

  tt_begin_check #(
    .Lanes        (Lanes),
    .BeatBytes    (BeatBytes),
    .PageRows     (PageRows),
    .ResidualWords(ResidualWords),
    .WorkWords    (WorkWords),
    .QueryWords   (QueryWords),
    .ParamWords   (ParamWords),
    .HeadDimMax   (HeadDimMax),
    .HeadsMax     (HeadsMax),
    .ConfigHash   (ConfigHash)
  ) u_begin (
    .clk_i,
    .rst_ni     (unit_rst_no),
    .start_i    (model_start),
    .command_i  (record),
    .pass_i     (pass),
    .done_o     (model_done),
    .code_o     (model_code),
    .head_fits_o(head_fits),
    .model_o
  );

  tt_panel_queue u_panels (
    .clk_i,
    .rst_ni (unit_rst_no),
    .push_i (push & gives),
    .panel_i(given),
    .pop_i  (push & takes),
    .count_o(panels),
    .panel_o(panel)
  );

  // ---- dispatching -----------------------------------------------------------------------------
  tt_unit_queues #(.Units(Units)) u_queues (
    .clk_i,
    .rst_ni      (unit_rst_no),
    .room_o      (room),
    .push_i      (push),
    .unit_i      (unit),
    .command_i   (record),
    .index_i     (index_q),
    .cmd_valid_o,
    .cmd_ready_i,
    .cmd_o,
    .done_i,
    .unfinished_o(unfinished),
    .oldest_o    (unit_command_o),
    .waiting_o
  );

  assign is_begin     = record[7:0] == tt_command_pkg::OpBegin;
  assign is_end       = record[7:0] == tt_command_pkg::OpEnd;
  assign idle         = unfinished == '0;
  // A third panel of sums cannot finish before the first is taken, so it may be unfinished.
  assign resting      = (unfinished & ~Units'(2 ** tt_command_pkg::UnitMultiply)) == '0
                        && (!unfinished[tt_command_pkg::UnitMultiply] || panels > 3'd2);
  assign step_ready   = ~step_mode_i | (resting & token_q);
  assign check_start  = state_q == Fetch && record_valid && !failing;
  assign model_start  = state_q == Place && is_begin && step_ready && !failing;
  assign push         = state_q == Place && !is_begin && !is_end && step_ready && room[unit]
                        && !failing;
  assign record_taken = push || (state_q == Model && model_done) || pass_done_o;
  assign pass_done_o  = state_q == Ending && idle && !failing;

  // ---- control ---------------------------------------------------------------------------------
  logic        own_error;
  tt_card_pkg::error_e      own_code;
  logic [39:0] own_address;

  always_comb begin
    own_error   = 1'b0;
    own_code    = check_code;
    own_address = '0;
    case (state_q)
      Loading: begin
        own_error   = load_error;
        own_code    = load_code;
        own_address = load_address;
      end
      Fetch: begin
        own_error = index_q == pass.commands;
        own_code  = tt_card_pkg::ErrNoEnd;
      end
      Check: begin
        own_error   = check_done && check_code != tt_card_pkg::ErrNone;
        own_address = check_address;
      end
      Model: begin
        own_error = model_done && model_code != tt_card_pkg::ErrNone;
        own_code  = model_code;
      end
      Ending: begin
        own_error = index_q + 16'd1 != pass.commands;
        own_code  = tt_card_pkg::ErrAfterEnd;
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      index_q <= '0;
      begun_q <= 1'b0;
      token_q <= 1'b0;
      normalised_q <= 1'b0;
    end else begin
      token_q <= step_mode_i & busy_o & (step_i | (token_q & ~push & ~model_start & ~pass_done_o));
      if (failed_o) begin
        state_q <= Idle;
      end else begin
        case (state_q)
          Idle: begin
            index_q <= '0;
            begun_q <= 1'b0;
            if (start_i && !failing) state_q <= Loading;
          end
          Loading: if (load_done) state_q <= Fetch;
          Fetch:   if (check_start) state_q <= Check;
          Check:   if (check_done && check_code == tt_card_pkg::ErrNone) state_q <= Place;
          Place: begin
            if (push) state_q <= Fetch;
            else if (model_start) state_q <= Model;
            else if (is_end && step_ready) state_q <= Ending;
          end
          Model: begin
            if (model_done && model_code == tt_card_pkg::ErrNone) begin
              begun_q <= 1'b1;
              state_q <= Fetch;
            end
          end
          default: if (pass_done_o) state_q <= Idle;
        endcase
        if (record_taken) begin
          index_q      <= index_q + 1'b1;
          normalised_q <= record[7:0] == tt_command_pkg::OpNormalise;
        end
      end
    end
  end

  always_comb begin
    commands_done_o = 3'(pass_done_o) + 3'(state_q == Model && model_done);
    for (int unsigned u = 0; u < Units; u++) commands_done_o += 3'(done_i[u]);
  end

  assign busy_o    = state_q != Idle;
  assign paused_o  = state_q == Place && step_mode_i && resting && !token_q && !failing;
  assign next_o    = index_q;
  assign slots_o   = pass.slots;
  assign results_o = pass.results;
  assign logits_o  = pass.logits;

  tt_pass_guard #(
    .Units       (Units),
    .WatchdogBits(WatchdogBits)
  ) u_guard (
    .clk_i,
    .rst_ni,
    .start_i      (state_q == Idle && start_i),
    .active_i     (busy_o),
    .paused_i     (paused_o),
    .progress_i   (beat_i || done_i != '0 || push || model_start || pass_done_o),
    .unfinished_i (unfinished),
    .oldest_i     (unit_command_o),
    .own_error_i  (own_error),
    .own_code_i   (own_code),
    .own_command_i(index_q),
    .own_address_i(own_address),
    .memory_error_i,
    .memory_kind_i,
    .memory_address_i,
    .page_error_i,
    .table_error_i,
    .checksum_error_i,
    .checksum_address_i,
    .abort_i,
    .quiet_i      (memory_quiet_i),
    .failing_o    (failing),
    .halt_o,
    .block_o,
    .unit_rst_no,
    .failed_o,
    .code_o,
    .command_o,
    .address_o
  );
endmodule

/// The six units of the card, and what lies between them: streams of sums, attention's output, rows
/// for the KV cache, buffer Q.
///
/// Read clients: 0 multiply, 1 load, 2 vector, 3 attention, 4 head, 5 and 6 check. Write clients:
/// 0 KV writer, 1 head.
module tt_units #(
  /// Slots of a pass.
  parameter int unsigned Slots = 4,
  /// Rows of a tile.
  parameter int unsigned Rows = 5,
  /// Groups of three columns of a block.
  parameter int unsigned Groups = 5,
  /// How products are made: 0 by table lookup, 1 by selecting activations.
  parameter int unsigned Engine = 0,
  /// What the engine adds up in DSP blocks: 0 nothing, 1 tables and trees, 2 the partial sums too.
  parameter int unsigned DspSums = 0,
  /// Bytes of a beat.
  parameter int unsigned BeatBytes = 16,
  /// Tiles of the largest panel.
  parameter int unsigned PanelTiles = 512,
  /// Lanes of the vector unit.
  parameter int unsigned Lanes = 4,
  /// Rows of a KV page.
  parameter int unsigned PageRows = 8,
  /// Scores of attention a cycle.
  parameter int unsigned ScoreLanes = 1,
  /// Words of PageRows scores that attention holds.
  parameter int unsigned ScoreWords = 256,
  /// Words of buffer X.
  parameter int unsigned ResidualWords = 1024,
  /// Words of buffer Y.
  parameter int unsigned WorkWords = 2048,
  /// Blocks of buffer A.
  parameter int unsigned ActBlocks = 128,
  /// Words of buffer Q.
  parameter int unsigned QueryWords = 512,
  /// Words of a bank of buffer P.
  parameter int unsigned ParamWords = 512,
  /// Longest head.
  parameter int unsigned HeadDimMax = 64,
  /// Most query heads.
  parameter int unsigned HeadsMax = 8,
  /// Candidates of a slot.
  parameter int unsigned Candidates = 256,
  /// Units.
  localparam int unsigned Units = 6,
  /// Read clients.
  localparam int unsigned ReadClients = 7,
  /// Write clients.
  localparam int unsigned WriteClients = 2
) (
  /// Clock.
  input  logic                                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                                   rst_ni,
  /// The model; constant while commands run.
  input  tt_card_pkg::model_t                    model_i,
  /// Slots of the pass.
  input  logic [7:0]                             slots_i,
  /// The slots, slot 0 lowest.
  input  logic [tt_card_pkg::SlotBits*Slots-1:0] slot_i,
  /// Address of the results.
  input  logic [39:0]                            results_i,
  /// Address of the logits.
  input  logic [39:0]                            logits_i,
  /// To unit u: a command.
  input  logic [Units-1:0]                       cmd_valid_i,
  /// Unit u takes it.
  output logic [Units-1:0]                       cmd_ready_o,
  /// The commands, unit 0 lowest.
  input  logic [512*Units-1:0]                   cmd_i,
  /// Unit u has finished its oldest command.
  output logic [Units-1:0]                       done_o,
  /// Unit u has work.
  output logic [Units-1:0]                       busy_o,
  /// A row that is written has a page outside the cache.
  output logic                                   page_error_o,
  /// A page table of an attention names a page outside the cache.
  output logic                                   table_error_o,
  /// A page of memory has another checksum.
  output logic                                   checksum_error_o,
  /// Which page.
  output logic [39:0]                            checksum_address_o,
  /// A beat of weights is consumed.
  output logic                                   weight_beat_o,
  /// Why none is.
  output tt_pkg::lost_t                          lost_o,
  /// Read clients: requests.
  output logic [ReadClients-1:0]                 rd_valid_o,
  /// Read clients: taken.
  input  logic [ReadClients-1:0]                 rd_ready_i,
  /// Read clients: addresses.
  output logic [40*ReadClients-1:0]              rd_address_o,
  /// Read clients: beats.
  output logic [5*ReadClients-1:0]               rd_beats_o,
  /// Read clients: a beat comes.
  input  logic [ReadClients-1:0]                 rd_data_valid_i,
  /// Read clients: the beat, the same for all.
  input  logic [8*BeatBytes-1:0]                 rd_data_i,
  /// Write clients: requests.
  output logic [WriteClients-1:0]                wr_valid_o,
  /// Write clients: taken.
  input  logic [WriteClients-1:0]                wr_ready_i,
  /// Write clients: addresses.
  output logic [40*WriteClients-1:0]             wr_address_o,
  /// Write clients: beats.
  output logic [5*WriteClients-1:0]              wr_beats_o,
  /// Write clients: a beat is offered.
  output logic [WriteClients-1:0]                wr_data_valid_o,
  /// Write clients: it is taken.
  input  logic [WriteClients-1:0]                wr_data_ready_i,
  /// Write clients: the beats.
  output logic [8*BeatBytes*WriteClients-1:0]    wr_data_o,
  /// Write clients: which bytes are written.
  output logic [BeatBytes*WriteClients-1:0]      wr_strobe_o,
  /// Write clients: the oldest burst is in memory.
  input  logic [WriteClients-1:0]                wr_done_i
);
  localparam int unsigned Beat       = 8 * BeatBytes;
  localparam int unsigned ActBits    = $clog2(ActBlocks * Slots);
  localparam int unsigned QueryBits  = $clog2(QueryWords);
  localparam int unsigned ParamBits  = $clog2(2 * ParamWords);
  localparam int unsigned RotaryBits = $clog2(Slots * HeadDimMax / 2 / Lanes);

  // ---- load ------------------------------------------------------------------------------------
  logic                  p_write, r_write;
  logic [ParamBits-1:0]  p_address;
  logic [32*Lanes-1:0]   p_data;
  logic [RotaryBits-1:0] r_address;
  logic [64*Lanes-1:0]   r_data;

  tt_load #(
    .Slots     (Slots),
    .Lanes     (Lanes),
    .BeatBytes (BeatBytes),
    .ParamWords(ParamWords),
    .HeadDimMax(HeadDimMax)
  ) u_load (
    .clk_i,
    .rst_ni,
    .model_i,
    .slots_i,
    .slot_i,
    .cmd_valid_i    (cmd_valid_i[0]),
    .cmd_ready_o    (cmd_ready_o[0]),
    .cmd_i          (cmd_i[511:0]),
    .done_o         (done_o[0]),
    .busy_o         (busy_o[0]),
    .rd_valid_o     (rd_valid_o[1]),
    .rd_ready_i     (rd_ready_i[1]),
    .rd_address_o   (rd_address_o[40*1 +: 40]),
    .rd_beats_o     (rd_beats_o[5*1 +: 5]),
    .rd_data_valid_i(rd_data_valid_i[1]),
    .rd_data_i,
    .p_write_o      (p_write),
    .p_address_o    (p_address),
    .p_data_o       (p_data),
    .r_write_o      (r_write),
    .r_address_o    (r_address),
    .r_data_o       (r_data)
  );

  // ---- multiply --------------------------------------------------------------------------------
  logic                 a_write, vsums_valid, vsums_ready, hsums_valid, hsums_ready, hsums_last;
  logic                 vsums_last;
  logic [ActBits-1:0]   a_address;
  logic [24*Groups-1:0] a_data;
  logic [15:0]          a_blocks;
  logic [24*Lanes-1:0]  vsums_data, hsums_data;
  logic [7:0]           vsums_slot, hsums_slot;

  tt_multiply #(
    .Slots     (Slots),
    .Rows      (Rows),
    .Groups    (Groups),
    .Engine    (Engine),
    .DspSums   (DspSums),
    .BeatBytes (BeatBytes),
    .PanelTiles(PanelTiles),
    .Lanes     (Lanes),
    .ActBlocks (ActBlocks)
  ) u_multiply (
    .clk_i,
    .rst_ni,
    .slots_i,
    .cmd_valid_i    (cmd_valid_i[1]),
    .cmd_ready_o    (cmd_ready_o[1]),
    .cmd_i          (cmd_i[512*1 +: 512]),
    .done_o         (done_o[1]),
    .busy_o         (busy_o[1]),
    .rd_valid_o     (rd_valid_o[0]),
    .rd_ready_i     (rd_ready_i[0]),
    .rd_address_o   (rd_address_o[39:0]),
    .rd_beats_o     (rd_beats_o[4:0]),
    .rd_data_valid_i(rd_data_valid_i[0]),
    .rd_data_i,
    .a_write_i      (a_write),
    .a_address_i    (a_address),
    .a_data_i       (a_data),
    .a_blocks_i     (a_blocks),
    .vsums_valid_o  (vsums_valid),
    .vsums_ready_i  (vsums_ready),
    .vsums_data_o   (vsums_data),
    .vsums_slot_o   (vsums_slot),
    .vsums_last_o   (vsums_last),
    .hsums_valid_o  (hsums_valid),
    .hsums_ready_i  (hsums_ready),
    .hsums_data_o   (hsums_data),
    .hsums_slot_o   (hsums_slot),
    .hsums_last_o   (hsums_last),
    .issue_o        (weight_beat_o),
    .lost_o
  );

  // ---- vector ----------------------------------------------------------------------------------
  logic                 q_write, factor_write, att_valid, att_ready, kv_valid, kv_ready, kv_value;
  logic                 kv_last, kv_idle;
  logic [QueryBits-1:0] q_address;
  logic [Beat-1:0]      q_data;
  logic [7:0]           factor_slot, factor_head, att_slot, kv_slot, kv_head;
  logic [31:0]          factor, kv_step;
  logic [15:0]          att_word;
  logic [32*Lanes-1:0]  att_data;
  logic [8*Lanes-1:0]   kv_data;
  logic [39:0]          kv_base;
  logic [32*Slots-1:0]  step_a;

  tt_vector #(
    .Slots        (Slots),
    .Rows         (Rows),
    .Groups       (Groups),
    .Lanes        (Lanes),
    .BeatBytes    (BeatBytes),
    .ResidualWords(ResidualWords),
    .WorkWords    (WorkWords),
    .ActBlocks    (ActBlocks),
    .QueryWords   (QueryWords),
    .ParamWords   (ParamWords),
    .HeadDimMax   (HeadDimMax),
    .HeadsMax     (HeadsMax)
  ) u_vector (
    .clk_i,
    .rst_ni,
    .model_i,
    .slots_i,
    .slot_i,
    .cmd_valid_i    (cmd_valid_i[2]),
    .cmd_ready_o    (cmd_ready_o[2]),
    .cmd_i          (cmd_i[512*2 +: 512]),
    .done_o         (done_o[2]),
    .busy_o         (busy_o[2]),
    .rd_valid_o     (rd_valid_o[2]),
    .rd_ready_i     (rd_ready_i[2]),
    .rd_address_o   (rd_address_o[40*2 +: 40]),
    .rd_beats_o     (rd_beats_o[5*2 +: 5]),
    .rd_data_valid_i(rd_data_valid_i[2]),
    .rd_data_i,
    .p_write_i      (p_write),
    .p_address_i    (p_address),
    .p_data_i       (p_data),
    .r_write_i      (r_write),
    .r_address_i    (r_address),
    .r_data_i       (r_data),
    .sums_valid_i   (vsums_valid),
    .sums_ready_o   (vsums_ready),
    .sums_data_i    (vsums_data),
    .sums_slot_i    (vsums_slot),
    .att_valid_i    (att_valid),
    .att_ready_o    (att_ready),
    .att_slot_i     (att_slot),
    .att_word_i     (att_word),
    .att_data_i     (att_data),
    .a_write_o      (a_write),
    .a_address_o    (a_address),
    .a_data_o       (a_data),
    .a_blocks_o     (a_blocks),
    .q_write_o      (q_write),
    .q_address_o    (q_address),
    .q_data_o       (q_data),
    .factor_write_o (factor_write),
    .factor_slot_o  (factor_slot),
    .factor_head_o  (factor_head),
    .factor_o       (factor),
    .step_a_o       (step_a),
    .kv_valid_o     (kv_valid),
    .kv_ready_i     (kv_ready),
    .kv_data_o      (kv_data),
    .kv_slot_o      (kv_slot),
    .kv_head_o      (kv_head),
    .kv_value_o     (kv_value),
    .kv_last_o      (kv_last),
    .kv_step_o      (kv_step),
    .kv_base_o      (kv_base),
    .kv_idle_i      (kv_idle)
  );

  tt_kv_writer #(
    .Slots    (Slots),
    .Lanes    (Lanes),
    .BeatBytes(BeatBytes),
    .PageRows (PageRows)
  ) u_kv_writer (
    .clk_i,
    .rst_ni,
    .model_i,
    .slot_i,
    .kv_valid_i     (kv_valid),
    .kv_ready_o     (kv_ready),
    .kv_data_i      (kv_data),
    .kv_slot_i      (kv_slot),
    .kv_head_i      (kv_head),
    .kv_value_i     (kv_value),
    .kv_last_i      (kv_last),
    .kv_step_i      (kv_step),
    .kv_base_i      (kv_base),
    .kv_idle_o      (kv_idle),
    .error_o        (page_error_o),
    .wr_valid_o     (wr_valid_o[0]),
    .wr_ready_i     (wr_ready_i[0]),
    .wr_address_o   (wr_address_o[39:0]),
    .wr_beats_o     (wr_beats_o[4:0]),
    .wr_data_valid_o(wr_data_valid_o[0]),
    .wr_data_ready_i(wr_data_ready_i[0]),
    .wr_data_o      (wr_data_o[Beat-1:0]),
    .wr_strobe_o    (wr_strobe_o[BeatBytes-1:0]),
    .wr_done_i      (wr_done_i[0])
  );

  // ---- buffer Q --------------------------------------------------------------------------------
  // Attention and head read in turns: the head's input replaces the queries.
  logic                 att_read, head_read;
  logic [QueryBits-1:0] att_address, head_address;
  logic [Beat-1:0]      query;

  tt_ram #(
    .Width(Beat),
    .Depth(QueryWords)
  ) u_queries (
    .clk_i,
    .write_i        (q_write),
    .write_address_i(q_address),
    .write_data_i   (q_data),
    .read_i         (att_read | head_read),
    .read_address_i (att_read ? att_address : head_address),
    .read_data_o    (query)
  );

  // ---- attention -------------------------------------------------------------------------------
  tt_attention #(
    .Slots     (Slots),
    .BeatBytes (BeatBytes),
    .Lanes     (Lanes),
    .PageRows  (PageRows),
    .ScoreLanes(ScoreLanes),
    .ScoreWords(ScoreWords),
    .QueryWords(QueryWords),
    .HeadDimMax(HeadDimMax),
    .HeadsMax  (HeadsMax)
  ) u_attention (
    .clk_i,
    .rst_ni,
    .model_i,
    .slots_i,
    .slot_i,
    .cmd_valid_i    (cmd_valid_i[3]),
    .cmd_ready_o    (cmd_ready_o[3]),
    .cmd_i          (cmd_i[512*3 +: 512]),
    .done_o         (done_o[3]),
    .busy_o         (busy_o[3]),
    .error_o        (table_error_o),
    .factor_write_i (factor_write),
    .factor_slot_i  (factor_slot),
    .factor_head_i  (factor_head),
    .factor_i       (factor),
    .q_read_o       (att_read),
    .q_address_o    (att_address),
    .q_data_i       (query),
    .att_valid_o    (att_valid),
    .att_ready_i    (att_ready),
    .att_slot_o     (att_slot),
    .att_word_o     (att_word),
    .att_data_o     (att_data),
    .rd_valid_o     (rd_valid_o[3]),
    .rd_ready_i     (rd_ready_i[3]),
    .rd_address_o   (rd_address_o[40*3 +: 40]),
    .rd_beats_o     (rd_beats_o[5*3 +: 5]),
    .rd_data_valid_i(rd_data_valid_i[3]),
    .rd_data_i
  );

  // ---- head ------------------------------------------------------------------------------------
  tt_head #(
    .Slots     (Slots),
    .Lanes     (Lanes),
    .Rows      (Rows),
    .BeatBytes (BeatBytes),
    .Candidates(Candidates),
    .QueryWords(QueryWords)
  ) u_head (
    .clk_i,
    .rst_ni,
    .cmd_valid_i    (cmd_valid_i[4]),
    .cmd_ready_o    (cmd_ready_o[4]),
    .cmd_i          (cmd_i[512*4 +: 512]),
    .done_o         (done_o[4]),
    .busy_o         (busy_o[4]),
    .model_i,
    .slots_i,
    .slot_i,
    .step_a_i       (step_a),
    .results_i,
    .logits_i,
    .hsums_valid_i  (hsums_valid),
    .hsums_ready_o  (hsums_ready),
    .hsums_data_i   (hsums_data),
    .hsums_slot_i   (hsums_slot),
    .hsums_last_i   (hsums_last),
    .q_read_o       (head_read),
    .q_address_o    (head_address),
    .q_data_i       (query),
    .rd_valid_o     (rd_valid_o[4]),
    .rd_ready_i     (rd_ready_i[4]),
    .rd_address_o   (rd_address_o[40*4 +: 40]),
    .rd_beats_o     (rd_beats_o[5*4 +: 5]),
    .rd_data_valid_i(rd_data_valid_i[4]),
    .rd_data_i,
    .wr_valid_o     (wr_valid_o[1]),
    .wr_ready_i     (wr_ready_i[1]),
    .wr_address_o   (wr_address_o[40*1 +: 40]),
    .wr_beats_o     (wr_beats_o[5*1 +: 5]),
    .wr_data_valid_o(wr_data_valid_o[1]),
    .wr_data_ready_i(wr_data_ready_i[1]),
    .wr_data_o      (wr_data_o[Beat*1 +: Beat]),
    .wr_strobe_o    (wr_strobe_o[BeatBytes*1 +: BeatBytes]),
    .wr_done_i      (wr_done_i[1])
  );

  // ---- check -----------------------------------------------------------------------------------
  tt_check #(.BeatBytes(BeatBytes)) u_check (
    .clk_i,
    .rst_ni,
    .cmd_valid_i     (cmd_valid_i[5]),
    .cmd_ready_o     (cmd_ready_o[5]),
    .cmd_i           (cmd_i[512*5 +: 512]),
    .done_o          (done_o[5]),
    .busy_o          (busy_o[5]),
    .error_o         (checksum_error_o),
    .error_address_o (checksum_address_o),
    .rd_valid_o      (rd_valid_o[5]),
    .rd_ready_i      (rd_ready_i[5]),
    .rd_address_o    (rd_address_o[40*5 +: 40]),
    .rd_beats_o      (rd_beats_o[5*5 +: 5]),
    .rd_data_valid_i (rd_data_valid_i[5]),
    .rd_data_i,
    .crc_valid_o     (rd_valid_o[6]),
    .crc_ready_i     (rd_ready_i[6]),
    .crc_address_o   (rd_address_o[40*6 +: 40]),
    .crc_beats_o     (rd_beats_o[5*6 +: 5]),
    .crc_data_valid_i(rd_data_valid_i[6]),
    .crc_data_i      (rd_data_i)
  );

  logic unused;
  assign unused = vsums_last;
endmodule

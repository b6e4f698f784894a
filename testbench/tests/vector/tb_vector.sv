/// tt_vector with tt_load beside it, its streams packed for the agents, and its buffers in sight.
module tb_vector #(
  parameter int unsigned Slots = 4,
  parameter int unsigned Rows = 5,
  parameter int unsigned Groups = 5,
  parameter int unsigned Lanes = 4,
  parameter int unsigned BeatBytes = 16,
  parameter int unsigned ResidualWords = 256,
  parameter int unsigned WorkWords = 512,
  parameter int unsigned ActBlocks = 32,
  parameter int unsigned QueryWords = 256,
  parameter int unsigned ParamWords = 64,
  parameter int unsigned HeadDimMax = 64,
  parameter int unsigned HeadsMax = 8,
  localparam int unsigned ActBits = $clog2(ActBlocks * Slots),
  localparam int unsigned QueryBits = $clog2(QueryWords),
  localparam int unsigned ParamBits = $clog2(2 * ParamWords),
  localparam int unsigned RotaryBits = $clog2(Slots * HeadDimMax / 2 / Lanes)
) (
  input  logic                                   clk_i,
  input  logic                                   rst_ni,
  input  logic [tt_card_pkg::ModelBits-1:0]      model_i,
  input  logic [7:0]                             slots_i,
  input  logic [tt_card_pkg::SlotBits*Slots-1:0] slot_i,
  input  logic                                   cmd_valid_i,
  output logic                                   cmd_ready_o,
  input  logic [511:0]                           cmd_data_i,
  output logic                                   done_o,
  output logic                                   busy_o,
  input  logic                                   load_valid_i,
  output logic                                   load_ready_o,
  input  logic [511:0]                           load_data_i,
  output logic                                   load_done_o,
  output logic                                   rd_valid_o,
  input  logic                                   rd_ready_i,
  output logic [39:0]                            rd_address_o,
  output logic [4:0]                             rd_beats_o,
  input  logic                                   rd_data_valid_i,
  input  logic [8*BeatBytes-1:0]                 rd_data_i,
  output logic                                   ld_valid_o,
  input  logic                                   ld_ready_i,
  output logic [39:0]                            ld_address_o,
  output logic [4:0]                             ld_beats_o,
  input  logic                                   ld_data_valid_i,
  input  logic [8*BeatBytes-1:0]                 ld_data_i,
  input  logic                                   sums_valid_i,
  output logic                                   sums_ready_o,
  input  logic [24*Lanes-1:0]                    sums_data_i,
  input  logic                                   att_valid_i,
  output logic                                   att_ready_o,
  input  logic [32*Lanes+31:0]                   att_data_i,
  output logic                                   a_write_o,
  output logic [ActBits-1:0]                     a_address_o,
  output logic [24*Groups-1:0]                   a_data_o,
  output logic                                   q_write_o,
  output logic [QueryBits-1:0]                   q_address_o,
  output logic [8*BeatBytes-1:0]                 q_data_o,
  output logic                                   factor_write_o,
  output logic [7:0]                             factor_slot_o,
  output logic [7:0]                             factor_head_o,
  output logic [31:0]                            factor_o,
  output logic [15:0]                            a_blocks_o,
  output logic [32*Slots-1:0]                    step_a_o,
  output logic                                   kv_valid_o,
  input  logic                                   kv_ready_i,
  output logic [8*Lanes+95:0]                    kv_data_o,
  input  logic                                   kv_idle_i,
  input  logic [15:0]                            index_i,
  output logic [32*Lanes-1:0]                    x_o,
  output logic [32*Lanes-1:0]                    y_o
);
  logic                  p_write, r_write, load_busy;
  logic [ParamBits-1:0]  p_address;
  logic [32*Lanes-1:0]   p_data;
  logic [RotaryBits-1:0] r_address;
  logic [64*Lanes-1:0]   r_data;
  logic [8*Lanes-1:0]    kv_data;
  logic [7:0]            kv_slot, kv_head;
  logic                  kv_value, kv_last;
  logic [31:0]           kv_step;
  logic [39:0]           kv_base;
  tt_card_pkg::model_t   model;

  assign model     = model_i;
  assign kv_data_o = {kv_base, kv_step, 6'b0, kv_last, kv_value, kv_head, kv_slot, kv_data};

  tt_load #(
    .Slots     (Slots),
    .Lanes     (Lanes),
    .BeatBytes (BeatBytes),
    .ParamWords(ParamWords),
    .HeadDimMax(HeadDimMax)
  ) u_load (
    .clk_i,
    .rst_ni,
    .model_i        (model),
    .slots_i,
    .slot_i,
    .cmd_valid_i    (load_valid_i),
    .cmd_ready_o    (load_ready_o),
    .cmd_i          (load_data_i),
    .done_o         (load_done_o),
    .busy_o         (load_busy),
    .rd_valid_o     (ld_valid_o),
    .rd_ready_i     (ld_ready_i),
    .rd_address_o   (ld_address_o),
    .rd_beats_o     (ld_beats_o),
    .rd_data_valid_i(ld_data_valid_i),
    .rd_data_i      (ld_data_i),
    .p_write_o      (p_write),
    .p_address_o    (p_address),
    .p_data_o       (p_data),
    .r_write_o      (r_write),
    .r_address_o    (r_address),
    .r_data_o       (r_data)
  );

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
    .model_i        (model),
    .slots_i,
    .slot_i,
    .cmd_valid_i,
    .cmd_ready_o,
    .cmd_i          (cmd_data_i),
    .done_o,
    .busy_o,
    .rd_valid_o,
    .rd_ready_i,
    .rd_address_o,
    .rd_beats_o,
    .rd_data_valid_i,
    .rd_data_i,
    .p_write_i      (p_write),
    .p_address_i    (p_address),
    .p_data_i       (p_data),
    .r_write_i      (r_write),
    .r_address_i    (r_address),
    .r_data_i       (r_data),
    .sums_valid_i,
    .sums_ready_o,
    .sums_data_i,
    .sums_slot_i    (8'd0),
    .att_valid_i,
    .att_ready_o,
    .att_slot_i     (att_data_i[7:0]),
    .att_word_i     (att_data_i[31:16]),
    .att_data_i     (att_data_i[32*Lanes+31:32]),
    .a_write_o,
    .a_address_o,
    .a_data_o,
    .a_blocks_o,
    .q_write_o,
    .q_address_o,
    .q_data_o,
    .factor_write_o,
    .factor_slot_o,
    .factor_head_o,
    .factor_o,
    .step_a_o,
    .kv_valid_o,
    .kv_ready_i,
    .kv_data_o      (kv_data),
    .kv_slot_o      (kv_slot),
    .kv_head_o      (kv_head),
    .kv_value_o     (kv_value),
    .kv_last_o      (kv_last),
    .kv_step_o      (kv_step),
    .kv_base_o      (kv_base),
    .kv_idle_i
  );

  // A block that may be read is whole, and is not written any more.
  logic [Slots-1:0] seen_q [ActBlocks];
  logic [15:0]      place;
  assign place = 16'(a_address_o) / 16'(Slots);

  always_ff @(posedge clk_i) begin
    if (cmd_valid_i && cmd_ready_o) begin
      for (int b = 0; b < int'(ActBlocks); b++) seen_q[b] <= '0;
    end else if (a_write_o) begin
      seen_q[place[$clog2(ActBlocks)-1:0]][32'(a_address_o) % Slots] <= 1'b1;
    end
    if (rst_ni) begin
      assert (!a_write_o || place >= a_blocks_o);
      for (int b = 0; b < int'(ActBlocks); b++) begin
        for (int s = 0; s < int'(Slots); s++) begin
          assert (a_blocks_o == '1 || 16'(b) >= a_blocks_o || 8'(s) >= slots_i || seen_q[b][s]);
        end
      end
    end
  end

  assign x_o = u_vector.u_residual.memory[index_i[$clog2(ResidualWords)-1:0]];
  assign y_o = u_vector.u_work.memory[index_i[$clog2(WorkWords)-1:0]];
endmodule

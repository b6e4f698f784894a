/// Turns the beats of a tt_beat_reader into records of 64 bytes.
///
/// A beat of 16 bytes is a quarter of a record, one of 128 bytes holds two. A run of records begins
/// on a beat; flush_i drops what is left of a beat before the next run.
module tt_record_reader #(
  /// Bytes of a beat, a power of two, at least 4.
  parameter int unsigned BeatBytes = 64
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: nothing is held.
  input  logic                   rst_ni,
  /// The next record begins on a beat: what is left of the present one is dropped. Only while
  /// record_valid_o has no record that somebody wants.
  input  logic                   flush_i,
  /// A beat is there.
  input  logic                   beat_valid_i,
  /// The beat is taken.
  output logic                   beat_ready_o,
  /// The beat.
  input  logic [8*BeatBytes-1:0] beat_data_i,
  /// A record is there.
  output logic                   record_valid_o,
  /// The record is taken at the end of this cycle.
  input  logic                   record_ready_i,
  /// The record; holds until taken.
  output logic [511:0]           record_o
);
  if (BeatBytes < 64) begin : gen_parts
    // Several beats make a record.
    localparam int unsigned Parts    = 64 / BeatBytes;
    localparam int unsigned PartBits = $clog2(Parts);

    logic [PartBits-1:0] part_q;
    logic                full_q, take;
    logic [511:0]        record_q;

    assign beat_ready_o   = ~full_q | record_ready_i;
    assign take           = beat_valid_i & beat_ready_o;
    assign record_valid_o = full_q;
    assign record_o       = record_q;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        part_q <= '0;
        full_q <= 1'b0;
      end else if (flush_i) begin
        part_q <= '0;
        full_q <= 1'b0;
      end else begin
        if (take) part_q <= part_q + 1'b1;
        full_q <= (take && part_q == '1) || (full_q && !record_ready_i);
      end
    end

    always_ff @(posedge clk_i) begin
      if (take) record_q <= {beat_data_i, record_q[511:8*BeatBytes]};
    end
  end else if (BeatBytes == 64) begin : gen_same
    assign beat_ready_o   = record_ready_i;
    assign record_valid_o = beat_valid_i;
    assign record_o       = beat_data_i;

    logic unused;
    assign unused = ^{clk_i, rst_ni, flush_i};
  end else begin : gen_several
    // A beat holds several records.
    localparam int unsigned Records    = BeatBytes / 64;
    localparam int unsigned RecordBits = $clog2(Records);

    logic [RecordBits-1:0] record_q;

    assign record_valid_o = beat_valid_i & ~flush_i;
    assign record_o       = beat_data_i[512*record_q +: 512];
    assign beat_ready_o   = flush_i ? record_q != '0 : record_ready_i && record_q == '1;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) record_q <= '0;
      else if (flush_i) record_q <= '0;
      else if (record_valid_o && record_ready_i) record_q <= record_q + 1'b1;
    end
  end
endmodule

/// Jobs on their way through the engine: one memory, one read pointer a stage.
///
/// A job keeps its place until the last stage has passed it, so the queue is full when Depth jobs
/// are not drained. A stage sees a job one cycle after it was pushed.
module tt_job_queue #(
  /// Jobs that the queue holds, a power of two, at least 2.
  parameter int unsigned Depth = 4,
  /// Stages; each one works the jobs in order, and none overtakes the one before.
  parameter int unsigned Stages = 3
) (
  /// Clock.
  input  logic                               clk_i,
  /// Asynchronous reset, active low: empty.
  input  logic                               rst_ni,
  /// A job enters when valid and ready are high.
  input  logic                               valid_i,
  /// The queue has room; depends on registers alone.
  output logic                               ready_o,
  /// The job that enters.
  input  tt_pkg::job_t                       job_i,
  /// Stage s has a job.
  output logic [Stages-1:0]                  valid_o,
  /// The job of stage s in bits JobBits*s up.
  output logic [tt_pkg::JobBits*Stages-1:0]  jobs_o,
  /// Stage s has finished its job; only while it has one.
  input  logic [Stages-1:0]                  next_i
);
  localparam int unsigned PtrBits = $clog2(Depth);
  localparam int unsigned JobBits = tt_pkg::JobBits;

  if (Depth < 2 || 2 ** PtrBits != Depth) begin : gen_bad_depth
    $fatal(1, "tt_job_queue: Depth must be a power of two and at least 2");
  end

  logic [PtrBits:0]                write_ptr_q;
  logic [Stages-1:0][PtrBits:0]    read_ptr_q;
  logic [Depth-1:0][JobBits-1:0]   jobs_q;
  logic                            push;

  assign ready_o = write_ptr_q != {~read_ptr_q[Stages-1][PtrBits],
                                   read_ptr_q[Stages-1][PtrBits-1:0]};
  assign push    = valid_i & ready_o;

  always_ff @(posedge clk_i) begin
    if (push) jobs_q[write_ptr_q[PtrBits-1:0]] <= job_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) write_ptr_q <= '0;
    else write_ptr_q <= write_ptr_q + (PtrBits + 1)'(push);
  end

  for (genvar s = 0; s < Stages; s++) begin : gen_stage
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) read_ptr_q[s] <= '0;
      else read_ptr_q[s] <= read_ptr_q[s] + (PtrBits + 1)'(next_i[s]);
    end
    assign valid_o[s] = read_ptr_q[s] != write_ptr_q;
    assign jobs_o[JobBits*s +: JobBits] = jobs_q[read_ptr_q[s][PtrBits-1:0]];
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) assert ((next_i & ~valid_o) == '0);
  end
`endif
endmodule

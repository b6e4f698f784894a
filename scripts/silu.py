"""Writes rtl/vector/tt_silu_table.sv: the table of the logistic function of docs/arithmetic.md.

    scripts/silu.py [FILE]
"""
import sys
from decimal import ROUND_HALF_UP, Decimal, getcontext
from pathlib import Path

ENTRIES, BITS, A_LINE = 2048, 18, 8
ROOT = Path(__file__).resolve().parent.parent

HEAD = """\
/// The logistic function: word i is 2^17 / (1 + exp(-i / 128)), rounded to the nearest integer.
/// Written by scripts/silu.py.
module tt_silu_table (
  /// Clock.
  input  logic        clk_i,
  /// A word is read.
  input  logic        read_i,
  /// Its number.
  input  logic [10:0] index_i,
  /// The word, one cycle after.
  output logic [17:0] entry_o
);
  // The last word comes first.
  localparam logic [2048*18-1:0] Table = {
"""

TAIL = """\
  };

  (* rom_style = "block" *)
  logic [17:0] memory [2048];
  initial begin
    for (int i = 0; i < 2048; i++) memory[i] = Table[18*i+:18];
  end

  always_ff @(posedge clk_i) begin
    if (read_i) entry_o <= memory[index_i];
  end
endmodule
"""


def entry(i):
    """2^17 / (1 + exp(-i / 128)), rounded."""
    exact = Decimal(1 << 17) / (1 + (Decimal(-i) / 128).exp())
    return int(exact.to_integral_value(ROUND_HALF_UP))


def main():
    getcontext().prec = 50
    words = [f"{BITS}'h{entry(i):05x}" for i in reversed(range(ENTRIES))]
    lines = [", ".join(words[i:i + A_LINE]) for i in range(0, ENTRIES, A_LINE)]
    text = HEAD + ",\n".join(f"    {line}" for line in lines) + "\n" + TAIL
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "rtl/vector/tt_silu_table.sv"
    path.write_text(text)


if __name__ == "__main__":
    main()

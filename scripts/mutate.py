"""Puts faults into copies of the RTL and asks whether the gate's suites notice.

    scripts/mutate.py [--unit vector ...] [--count 40] [--seed 1] [--json FILE] [--timeout 900]
    scripts/mutate.py --list [--unit ...] [--count ...] [--seed ...]

The faults are generated: for each unit in turn a kind of fault, then a place of that kind, at random by
the seed. A fault is one edit of a statement (assign, always) of a module: another operator, a constant or
a bound that is off by one, a handshake that does not wait, another reset value, a condition turned round.
Parameters, assertions, packages and generated files are left alone. What Verilator does not accept is not
counted; another one is drawn.

Every fault is a copy of rtl/ in a folder that looks like the checkout (TERNTABLE_ROOT). The suites run
from the cheapest on: the unit's own, then the whole card sim-small. A fault is `killed` by the first suite
that fails or does not end in time; otherwise it `survived`, or is `equivalent` if
scripts/equivalent_mutants.json says why nothing can notice it. --list only prints the edits.
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"
CACHE = Path(os.environ.get("TERNTABLE_CACHE", ROOT / ".cache"))
EQUIVALENT = ROOT / "scripts/equivalent_mutants.json"
# Package and test of a suite of the whole card sim-small.
CARD = [("terntable-testbench", "card_smoke"), ("terntable-testbench", "card_sim"),
        ("terntable", "card")]
# The folders of the RTL: the tests of each, the cheapest first, all of terntable-testbench.
SUITES = {
    "attention": ["attention"], "card": ["sequencer", "control"], "float": ["float", "vector"],
    "head": ["head"], "memory": ["memory", "axi"], "multiply": ["multiply"],
    "stream": ["golden", "control", "multiply"], "tlmm": ["golden", "multiply"],
    "vector": ["vector"],
}
LEFT_ALONE = re.compile(r"_pkg\.sv$|_table\.sv$")
LIMIT = 50    # edits that may be refused in a row


def blank(match):
    """Spaces in the place of text."""
    return re.sub(r"[^\n]", " ", match[0])


def code(text):
    """The text with everything blanked that is no code to change."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"", blank, text, flags=re.S)
    text = re.sub(r"`ifndef SYNTHESIS.*?`endif", blank, text, flags=re.S)
    return re.sub(r"\bassign unused\b[^;]*;|\(\* .*? \*\)", blank, text, flags=re.S)


def closing(text, at):
    """The place after the bracket that closes the one at a place."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i + 1
    raise ValueError("brackets do not match")


def statement(text, at):
    """The place after the statement at a place."""
    at += len(text[at:]) - len(text[at:].lstrip())
    for opening, word in (("begin", "end"), (r"(?:unique |priority )?case[xz]?", "endcase")):
        if re.match(rf"{opening}\b", text[at:]):
            opening = opening.split(")?")[-1]
            depth = 0
            for token in re.finditer(rf"\b({opening}|{word})\b", text[at:]):
                depth += -1 if token[0] == word else 1
                if depth == 0:
                    return at + token.end()
            raise ValueError(f"no {word}")
    if head := re.match(r"(if|for|@)\s*\(", text[at:]):
        at = statement(text, closing(text, at + head.end() - 1))
        if head[1] == "if" and (other := re.match(r"\s*else\b", text[at:])):
            at = statement(text, at + other.end())
        return at
    return text.index(";", at) + 1


def spans(text):
    """The statements of a module outside its declarations: begin, end, word."""
    at = 0
    while found := re.compile(r"\b(assign|always_ff|always_comb)\b").search(text, at):
        at = statement(text, found.end())
        yield found.end(), at, found[1]


SWAPS = {
    "operator": [(r"(?<=[\w\])}'] )\+(?= [\w({~'])", "-"), (r"(?<=[\w\])}'] )-(?= [\w({~'])", "+"),
                 (r"(?<= )&(?= )", "|"), (r"(?<= )\|(?= )", "&"), (r"(?<= )\^(?= )", "&"),
                 (r"&&", "||"), (r"\|\|", "&&")],
    "comparison": [(r"(?<= )==(?= )", "!="), (r"(?<= )!=(?= )", "=="), (r"(?<= )<(?= )", "<="),
                   (r"(?<= )>(?= )", ">="), (r"(?<= )>=(?= )", ">"), (r"(?<= )<=(?= )", "<")],
}


def off_by_one(match):
    """A sized constant, one more or, at its end, one less."""
    bits, value = int(match[1]), int(match[3], {"d": 10, "h": 16, "b": 2}[match[2]])
    value = value + 1 if value + 1 < 1 << bits else value - 1
    return f"{bits}'d{value}" if bits > 1 else f"1'b{value}"


def edits(text):
    """Every fault that a module can have: kind, begin, end, what comes instead."""
    plain, found = code(text), []
    for begin, end, word in spans(plain):
        part = plain[begin:end]
        resets = [(m.end(), statement(part, m.end()))
                  for m in re.finditer(r"if \(!rst_ni\)", part)]
        in_reset = lambda at: any(a <= at < b for a, b in resets)
        inside = lambda at: part.count("(", 0, at) > part.count(")", 0, at)
        value = lambda at: inside(at) or re.search(r"<?=(?!=)[^;]*$", part[:at])

        def add(kind, match, instead):
            if match[0] != instead:
                found.append((kind, begin + match.start(), begin + match.end(), instead))

        for kind, swaps in SWAPS.items():
            for pattern, instead in swaps:
                for m in re.finditer(pattern, part):
                    # `<=` assigns, except in an expression.
                    assigns = m[0] == "<=" and word == "always_ff" and not inside(m.start())
                    if not assigns:
                        add(kind, m, instead)
        for m in re.finditer(r"\b(\d+)'([dhb])([0-9a-f]+)\b", part):
            add("reset" if in_reset(m.start()) else "constant", m, off_by_one(m))
        for m in re.finditer(r"(?<=<= )'0(?=;)", part):
            if in_reset(m.start()):
                add("reset", m, "'1")
        for m in re.finditer(r"\[([^\[\]:?]+) \+:", part):
            add("bound", m, f"[{m[1]} + 1 +:")
        for m in re.finditer(r"(for \([^;]*; \w+ < )([^;]+)(?=;)", part):
            add("bound", m, f"{m[1]}{m[2]} - 1")
        for m in re.finditer(r"\b\w*(?:valid|ready)\w*\b(?:\[[^\[\]]*\])?", part):
            if value(m.start()) and not re.match(r"\s*(<?=[^=]|\()", part[m.end():]):
                add("handshake", m, "1'b1")
        for m in re.finditer(r"\bif \((?!!rst_ni\))", part):
            stop = closing(part, m.end() - 1)
            whole = (part[m.end():stop - 1]).strip()
            found.append(("condition", begin + m.end(), begin + stop - 1, f"!({whole})"))
    return found


def draw(units, seed):
    """Faults without end: unit, kind, file, line, begin, end, instead."""
    chance, places = random.Random(seed), {}
    for unit in units:
        for path in sorted((RTL / unit).glob("*.sv")):
            if LEFT_ALONE.search(path.name):
                continue
            text = path.read_text()
            for kind, begin, end, instead in edits(text):
                line = text.count("\n", 0, begin) + 1
                places.setdefault(unit, {}).setdefault(kind, []).append(
                    (str(path.relative_to(RTL)), line, begin, end, instead))
    while places:
        for unit in list(places):
            kind = chance.choice(sorted(places[unit]))
            rest = places[unit][kind]
            place = rest.pop(chance.randrange(len(rest)))
            if not rest:
                del places[unit][kind]
            if not places[unit]:
                del places[unit]
            yield (unit, kind, *place)


def edited(name, begin, end, instead):
    """The text of a file with a fault, and its line before and after."""
    text = (RTL / name).read_text()
    new = text[:begin] + instead + text[end:]
    first, last = text.rfind("\n", 0, begin) + 1, text.index("\n", end)
    shown = lambda part: " ".join(part.split())
    return new, shown(text[first:last]), shown(new[first:last + len(new) - len(text)])


class Checkout:
    """A folder that looks like this checkout, with RTL of its own and what it builds from it."""

    def __init__(self, folder):
        self.root, self.cache = folder / "root", folder / "cache"
        self.root.mkdir()
        for path in ROOT.iterdir():
            if path.name not in ("rtl", ".git", ".cache", "target"):
                (self.root / path.name).symlink_to(path)
        shutil.copytree(RTL, self.root / "rtl")
        # What is built already serves as it is; what the fault changes is built here and forgotten.
        models = self.cache / "verilated"
        models.mkdir(parents=True)
        for path in (CACHE / "verilated").glob("*"):
            if path.is_dir() and path.suffix != ".draft":
                (models / path.name).symlink_to(path)

    def compiles(self, name):
        """Whether Verilator accepts the RTL."""
        top = "card" if name in (RTL / "card.f").read_text().split() else "engine"
        home = next((ROOT / ".tools/venv").glob("lib/python3*/site-packages/verilator"))
        run = subprocess.run(
            [home / "bin/verilator", "--lint-only", "-Wno-fatal", "-Wno-lint", "--top-module",
             f"tt_{top}", "-F", f"{top}.f"], cwd=self.root / "rtl", capture_output=True,
            env={**os.environ, "VERILATOR_ROOT": str(home)})
        return run.returncode == 0

    def run(self, program, package, timeout):
        """Runs a suite; the test that fails, or None."""
        process = subprocess.Popen(
            [program], cwd=package, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "TERNTABLE_ROOT": str(self.root),
                                         "TERNTABLE_CACHE": str(self.cache)})
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.alarm(timeout)
        begin, failed = time.monotonic(), None
        for line in process.stdout:
            if found := re.match(r"test (\S+).* \.\.\. FAILED", line):
                failed = found[1]
                os.killpg(process.pid, signal.SIGKILL)
                break
        signal.alarm(0)
        status = process.wait()
        if failed or status == 0:
            return failed
        return "timeout" if time.monotonic() - begin >= timeout else f"exit status {status}"


def programs():
    """The program and the folder of every suite."""
    run = subprocess.run(
        ["cargo", "test", "--release", "--no-run", "--message-format=json", "-p",
         "terntable-testbench", "-p", "terntable"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit("the suites do not build")
    found = {}
    for line in run.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["kind"] == ["test"]:
            folder = Path(message["manifest_path"]).parent
            package = {"testbench": "terntable-testbench", "host": "terntable"}[folder.name]
            found[package, message["target"]["name"]] = message["executable"], folder
    return found


def suites(unit):
    """The suites of a unit, the cheapest first."""
    return [*(("terntable-testbench", name) for name in SUITES[unit]), *CARD]


def judge(checkout, unit, built, timeout):
    """The suite and the test that notice a fault, or None twice."""
    for suite in suites(unit):
        test = checkout.run(*built[suite], timeout)
        if test:
            return suite[1], test
    return None, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unit", choices=SUITES, action="append", help="only this folder of rtl/")
    parser.add_argument("--count", type=int, default=45, help="faults in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=900, help="seconds of a suite")
    parser.add_argument("--json", type=Path, help="write the result here, after every fault")
    parser.add_argument("--list", action="store_true", help="only print the edits")
    options = parser.parse_args()
    units, drawn = options.unit or sorted(SUITES), None
    drawn = draw(units, options.seed)
    if options.list:
        for _, (unit, kind, name, line, *place) in zip(range(options.count), drawn):
            _, before, after = edited(name, *place)
            print(f"{kind:<11}{name}:{line}\n  {before}\n  {after}")
        return 0
    equivalent = {(e["file"], e["before"], e["after"]) for e in json.loads(EQUIVALENT.read_text())}
    built, results, refused = programs(), [], 0
    (ROOT / ".cache").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as folder:
        checkout = Checkout(Path(folder))
        checkout.cache = CACHE    # what this builds serves every fault
        for suite in {suite: None for unit in units for suite in suites(unit)}:
            if test := checkout.run(*built[suite], options.timeout):
                sys.exit(f"{suite[1]} fails without a fault: {test}")
    print(f"the suites pass without a fault; seed {options.seed}", flush=True)
    while len(results) < options.count and refused < LIMIT:
        unit, kind, name, line, *place = next(drawn, (None,) * 4)
        if unit is None:
            break
        text, before, after = edited(name, *place)
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as folder:
            checkout = Checkout(Path(folder))
            (checkout.root / "rtl" / name).write_text(text)
            if not checkout.compiles(name):
                refused += 1
                continue
            suite, test = judge(checkout, unit, built, options.timeout)
        refused = 0
        verdict = "killed" if suite else "equivalent" if (name, before, after) in equivalent \
            else "survived"
        results.append({"unit": unit, "kind": kind, "file": name, "line": line, "before": before,
                        "after": after, "verdict": verdict, "suite": suite, "test": test,
                        "seconds": round(time.monotonic() - begin)})
        print(f"{verdict:<11}{kind:<11}{name}:{line}  {suite or ''} {test or ''} "
              f"({results[-1]['seconds']} s)\n  {before}\n  {after}", flush=True)
        if options.json:
            options.json.write_text(json.dumps({"seed": options.seed, "mutants": results}, indent=1)
                                    + "\n")
    print(f"\n{'unit':<12}{'faults':>8}{'killed':>8}{'survived':>10}{'equivalent':>12}")
    for unit in [*units, None]:
        of = [result["verdict"] for result in results if unit in (None, result["unit"])]
        print(f"{unit or 'all':<12}{len(of):>8}{of.count('killed'):>8}{of.count('survived'):>10}"
              f"{of.count('equivalent'):>12}")
    return int(any(result["verdict"] == "survived" for result in results))


if __name__ == "__main__":
    sys.exit(main())

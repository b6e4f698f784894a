"""Compares Terntable with PyTorch and transformers; writes the fixtures of the gate.

    cargo xtask parity [--no-write-fixtures] [--no-model] [--last SHARE]

1. Random ternary checkpoints of BitNet and Llama architecture: logits of `terntable logits` against
   transformers in float32.
2. Tokenizers and chat templates: tokens of `terntable tokens` against transformers, text by text.
3. The bundled model: loss of `terntable eval` against transformers on the same text.

Exit status 1 when a criterion fails. Fixtures are written only when every checkpoint passes.
"""

import argparse
import functools
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import reference  # first: it sets the environment of torch

import checkpoints
import texts
import numpy
import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "host/tests/fixtures"
MODEL = ROOT / "models/shakespeare"

MIN_COSINE = 0.999  # at every position
MIN_TOP1 = 0.97  # over all positions of all configurations
MAX_LOSS_DIFFERENCE = 0.01  # relative
MAX_FIXTURE_BYTES = 1_000_000
WINDOW, STRIDE = 256, 128


def terntable(program: Path, *args) -> dict:
    """Runs a command of the program; returns its JSON."""
    command = [str(program), *map(str, args), "--json"]
    run = subprocess.run(command, text=True, capture_output=True)
    if run.returncode:
        sys.exit(f"{' '.join(command)[:200]} failed ({run.returncode}):\n{run.stderr}")
    return json.loads(run.stdout)


def verdict(passed: bool) -> str:
    """The mark of a line."""
    return "ok  " if passed else "FAIL"


HEADER = (
    f"{'random checkpoint':<58} {'min cos':>8} {'mean cos':>8} {'top-1':>8} {'%':>6} {'spread':>7}"
)


@dataclass
class Match:
    """How the logits of some positions agree."""

    cosines: torch.Tensor
    agree: torch.Tensor
    spread: float  # standard deviation of a row of the reference, mean over the rows

    @classmethod
    def of(cls, ours: torch.Tensor, theirs: torch.Tensor) -> "Match":
        """Compares positions x vocabulary."""
        cosines = torch.nn.functional.cosine_similarity(ours.double(), theirs.double(), dim=-1)
        agree = ours.argmax(-1) == theirs.argmax(-1)
        return cls(cosines, agree, theirs.double().std(dim=-1).mean().item())

    @property
    def top1(self) -> float:
        return self.agree.double().mean().item()

    def row(self, name: str) -> str:
        low, mean = self.cosines.min().item(), self.cosines.mean().item()
        places = f"{int(self.agree.sum())}/{len(self.agree)}"
        return (
            f"{name:<58} {low:>8.6f} {mean:>8.6f} {places:>8} {100 * self.top1:>6.1f} "
            f"{self.spread:>7.2f}"
        )


def compare(program: Path, folder: Path, sequences: list[list[int]]) -> Match:
    """One checkpoint on both sides; writes the reference's logits beside it."""
    model = reference.load(folder)
    ours, theirs, expected = [], [], {}
    for index, tokens in enumerate(sequences):
        listed = ",".join(map(str, tokens))
        report = terntable(program, "logits", "--model", folder, "--tokens", listed)
        ours.append(torch.tensor(report["logits"]))
        theirs.append(reference.logits(model, tokens))
        expected[f"{index}.tokens"] = torch.tensor(tokens, dtype=torch.int32)
        expected[f"{index}.logits"] = theirs[-1].half().contiguous()
    save_file(expected, folder / "expected.safetensors")
    return Match.of(torch.cat(ours), torch.cat(theirs))


def random_checkpoints(program: Path, folder: Path) -> bool:
    """Part 1, in `folder`; true when both criteria hold."""
    print(HEADER)
    matches = []
    for index, spec in enumerate(checkpoints.SPECS):
        sequences = checkpoints.write(spec, folder / spec.name, checkpoints.seed(index))
        match = compare(program, folder / spec.name, sequences)
        matches.append(match)
        # Written so that NaN fails too.
        for position in (~(match.cosines >= MIN_COSINE)).nonzero().flatten().tolist():
            print(f"  FAIL {spec.name}: position {position}: cosine {match.cosines[position]:.6f}")
        print(match.row(spec.name))
    everything = Match(
        torch.cat([m.cosines for m in matches]),
        torch.cat([m.agree for m in matches]),
        sum(m.spread for m in matches) / len(matches),
    )
    passed = bool((everything.cosines >= MIN_COSINE).all()) and everything.top1 >= MIN_TOP1
    print(everything.row("all"))
    print(f"{verdict(passed)} cosine >= {MIN_COSINE} everywhere, top-1 >= {MIN_TOP1:.0%}\n")
    return passed


def bundled_model(program: Path, last: float) -> bool:
    """Part 3; true when the losses agree."""
    text = (MODEL / "tinyshakespeare.txt").read_bytes().decode("utf-8")
    text = text[int(len(text) * (1 - last)) :]
    report = terntable(
        program, "eval", "--model", MODEL, "--device", "cpu", "--last", last,
        "--window", WINDOW, "--stride", STRIDE,
    )
    if report["characters"] != len(text):
        sys.exit(f"{report['characters']} characters scored; expected {len(text)}")
    ours = report["nats_per_character"]
    theirs = reference.nats_per_character(MODEL, text, WINDOW, STRIDE)
    difference = ours / theirs - 1
    passed = abs(difference) <= MAX_LOSS_DIFFERENCE  # NaN fails
    print(
        f"bundled model, {len(text)} characters, {report['tokens']} tokens scored: {ours:.5f} nats "
        f"a character, transformers {theirs:.5f}\n{verdict(passed)} relative difference "
        f"{100 * difference:+.3f} %, at most {MAX_LOSS_DIFFERENCE:.0%}\n"
    )
    return passed


def write_fixtures(folder: Path) -> None:
    """Replaces the fixtures by the checkpoints in `folder`."""
    modules = (torch, transformers, tokenizers, safetensors, numpy)
    versions = {
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in modules},
        "seeds": {spec.name: checkpoints.seed(i) for i, spec in enumerate(checkpoints.SPECS)},
    }
    (folder / "versions.json").write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if total > MAX_FIXTURE_BYTES:
        sys.exit(f"fixtures of {total} bytes; expected at most {MAX_FIXTURE_BYTES}")
    shutil.rmtree(FIXTURES, ignore_errors=True)
    shutil.copytree(folder, FIXTURES, copy_function=shutil.copyfile)
    print(f"wrote {total} bytes of fixtures to {FIXTURES.relative_to(ROOT)}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--write-fixtures", action=flag, default=True,
                        help="replace host/tests/fixtures when every checkpoint passes")
    parser.add_argument("--model", action=flag, default=True, help="compare the bundled model")
    parser.add_argument("--last", type=float, default=0.01, metavar="SHARE",
                        help="share of the bundled model's text (default 0.01)")
    parser.add_argument("--terntable", type=Path, default=ROOT / "target/release/terntable")
    args = parser.parse_args()
    torch.set_num_threads(1)  # so that the order of sums does not depend on the number of cores
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "fixtures"
        passed = random_checkpoints(args.terntable, folder)
        if passed and args.write_fixtures:
            write_fixtures(folder)
    with tempfile.TemporaryDirectory() as temporary:
        run = functools.partial(terntable, args.terntable)
        passed &= texts.compare(run, MODEL, Path(temporary))
    if args.model:
        passed &= bundled_model(args.terntable, args.last)
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())

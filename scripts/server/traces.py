"""Writes the synthetic traces of host/traces: the same every time."""

import json
import random
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "host/traces"


def length(draw: random.Random, median: float, most: int) -> int:
    return max(1, min(most, round(median * draw.lognormvariate(0, 0.6))))


def write(name: str, rows: list) -> None:
    fields = ("arrival_s", "prompt_tokens", "output_tokens")
    lines = [json.dumps(dict(zip(fields, row))) for row in rows]
    (FOLDER / name).write_text("\n".join(lines) + "\n")


def main() -> None:
    draw, at, steady = random.Random(1), 0.0, []
    for _ in range(200):
        steady.append((round(at, 4), length(draw, 60, 200), length(draw, 40, 200)))
        at += draw.expovariate(20)
    write("steady.jsonl", steady)
    draw, bursts = random.Random(2), []
    for i in range(200):
        prompt = 256 if i % 5 == 0 else length(draw, 40, 200)
        bursts.append((2.0 * (i // 25), prompt, length(draw, 60, 200)))
    write("bursts.jsonl", bursts)


if __name__ == "__main__":
    main()

"""The CPU path against llama.cpp: the same shapes, threads and minute, one after the other in turns.

    scripts/llama_cpp/bench.py [--shape bitnet-0.73b ...] [--threads 2 1] [--repeats 5] [--slots 8] [--json FILE] [--quick]

The peer is llama-bench, built from the sources inside llama-cpp-python of PyPI (pinned in
scripts/tools.toml) for this machine, on GGUF files of random weights: TQ2_0 and TQ1_0, the tied head and
embedding in Q6_K, as its own converter makes them. Ours is `terntable bench` on random weights of the same
shape. Every repeat runs all of them once, every other repeat in the opposite order; a ratio is the median of the
repeats' ratios, and rates are medians. Several sequences at a time are compared with our own prompt of 128.
Rates of busy machines mean little, ratios of one repeat a little more.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import sys
from pathlib import Path

import gguf
import numpy

import peer
from peer import CACHE, ROOT, run

# Name: hidden, feed-forward, layers, heads, key-value heads, head_dim, vocabulary.
SHAPES = {
    "bitnet-0.73b": (1536, 4096, 24, 16, 16, 96, 32_002),
    "bitnet-2b4t": (2560, 6912, 30, 20, 5, 128, 128_256),
}
TYPES = {"TQ2_0": (gguf.GGMLQuantizationType.TQ2_0, 66), "TQ1_0": (gguf.GGMLQuantizationType.TQ1_0, 54)}
BLOCK = 256
# The peer of several sequences at a time: our own rate on a prompt of 128.
OWN = "own 128"


def blocks(random, rows, cols, block_bytes, scale_at, scale):
    """Rows of random blocks with a binary16 scale."""
    data = random.integers(0, 256, (rows * cols // BLOCK, block_bytes), dtype=numpy.uint8)
    data[:, scale_at:scale_at + 2] = numpy.frombuffer(numpy.float16(scale).tobytes(), numpy.uint8)
    return data.reshape(rows, cols // BLOCK * block_bytes)


def write_gguf(path, shape, kind):
    """A file of random weights, as the architecture `bitnet` of llama.cpp names its tensors."""
    hidden, ffn, layers, heads, kv_heads, head_dim, vocab = shape
    quantisation, block_bytes = TYPES[kind]
    random = numpy.random.default_rng(1)
    draft = path.with_suffix(".draft")
    writer = gguf.GGUFWriter(draft, "bitnet")
    writer.add_context_length(4096)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(head_dim)
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("none")

    def norm(name, n):
        writer.add_tensor(f"{name}.weight", numpy.ones(n, dtype=numpy.float32))

    def matrix(name, rows, cols):
        data = blocks(random, rows, cols, block_bytes, block_bytes - 2, 0.02)
        writer.add_tensor(f"{name}.weight", data, raw_dtype=quantisation)

    head = blocks(random, vocab, hidden, 210, 208, 1e-4)
    writer.add_tensor("token_embd.weight", head, raw_dtype=gguf.GGMLQuantizationType.Q6_K)
    norm("output_norm", hidden)
    query, kv = heads * head_dim, kv_heads * head_dim
    for layer in range(layers):
        name = f"blk.{layer}."
        for rows, part in ((query, "attn_q"), (kv, "attn_k"), (kv, "attn_v"), (ffn, "ffn_gate"), (ffn, "ffn_up")):
            matrix(name + part, rows, hidden)
        matrix(name + "attn_output", hidden, query)
        matrix(name + "ffn_down", hidden, ffn)
        for part, n in (("attn_norm", hidden), ("attn_sub_norm", query), ("ffn_norm", hidden),
                        ("ffn_sub_norm", ffn)):
            norm(name + part, n)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.rename(path)


def peer_file(shape, kind):
    path = CACHE / f"peers/{shape}-{kind}.gguf"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"writing {path.name}", file=sys.stderr)
        write_gguf(path, SHAPES[shape], kind)
    return path


def peer_rate(program, path, threads, prompt, tokens):
    text = run([program, "-m", path, "-t", threads, "-p", prompt, "-n", tokens, "-r", 1, "-o", "json"])
    return json.loads(text)[0]["avg_ts"]


def our_rate(shape, threads, prompt, tokens, slots=1):
    """Tokens a second, and the whole report."""
    program = ROOT / "target/release/terntable"
    report = json.loads(run([program, "bench", "--model", shape, "--threads", threads, "--prompt-tokens", prompt,
                             "--tokens", max(tokens, 1), "--slots", slots, "--json"],
                            env={**os.environ, "TERNTABLE_CACHE": str(CACHE)}))
    return report["decode_tokens_per_s" if tokens else "prefill_tokens_per_s"], report


def measure(program, shape, threads, prompt, tokens, repeats):
    """Entries of one kind of work: ours against each type of the peer."""
    ours, reports, peers = [], [], {kind: [] for kind in TYPES}
    for repeat in range(repeats):
        runs = [None, *TYPES]
        for kind in runs if repeat % 2 == 0 else runs[::-1]:
            if kind is None:
                rate, report = our_rate(shape, threads, prompt, tokens)
                ours.append(rate)
                reports.append(report)
            else:
                peers[kind].append(peer_rate(program, peer_file(shape, kind), threads, prompt, tokens))
    for kind, rates in peers.items():
        ratios = [a / b for a, b in zip(ours, rates)]
        entry = {
            "shape": shape, "threads": threads, "phase": "decode" if tokens else "prefill", "peer": kind,
            "prompt_tokens": prompt, "ours_tokens_per_s": round(statistics.median(ours), 2),
            "peer_tokens_per_s": round(statistics.median(rates), 2), "ratio": round(statistics.median(ratios), 3),
            "ratios": [round(ratio, 3) for ratio in ratios],
        }
        if tokens:
            entry["read_share"] = round(statistics.median(r["read_share"] for r in reports), 3)
            entry["read_gb_per_s"] = round(statistics.median(r["read_gb_per_s"] for r in reports), 2)
            entry["bits_per_weight"] = round(reports[0]["bits_per_weight"], 4)
            largest = max(r["peak_memory_bytes"] or 0 for r in reports)
            entry["peak_memory_of_image"] = round(largest / reports[0]["image_bytes"], 3)
        yield entry


def measure_slots(shape, threads, slots, tokens, repeats):
    """Decode of several sequences at a time against our own rate on a prompt of 128."""
    pairs = []
    for _ in range(repeats):
        prefill, _ = our_rate(shape, threads, 128, 0)
        decode, _ = our_rate(shape, threads, 0, tokens, slots)
        pairs.append((decode, prefill))
    ratios = [decode / prefill for decode, prefill in pairs]
    decode, prefill = (statistics.median(rates) for rates in zip(*pairs))
    return {
        "shape": shape, "threads": threads, "phase": "decode", "slots": slots, "peer": OWN,
        "ours_tokens_per_s": round(decode, 2), "peer_tokens_per_s": round(prefill, 2),
        "ratio": round(statistics.median(ratios), 3), "ratios": [round(ratio, 3) for ratio in ratios],
    }


def show(entry):
    work = f"prefill {entry['prompt_tokens']}" if entry["phase"] == "prefill" else "decode"
    work += f" x{entry['slots']}" if "slots" in entry else ""
    share = f"{entry['read_share']:8.1%}" if "read_share" in entry else ""
    print(f"{entry['shape']:<14}{entry['threads']:>8}  {work:<12}{entry['peer']:<8}{entry['ours_tokens_per_s']:9.1f}"
          f"{entry['peer_tokens_per_s']:9.1f}{entry['ratio']:8.2f}{share}", flush=True)


def machine():
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--prompts", nargs="*", type=int, default=[128, 512])
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--slots", type=int, default=8, help="sequences at a time, against our own prompt of 128")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="one repeat, few tokens: does it work?")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.prompts, args.tokens = 1, [32], 4
    if shutil.which("cargo"):
        run(["cargo", "build", "--release", "--quiet", "-p", "terntable"], cwd=ROOT)
    program = peer.build("llama-bench") / "llama-bench"
    entries = []
    print(f"{machine()}; peer {peer.PACKAGE} {peer.VERSION} [measured]")
    print(f"{'shape':<14}{'threads':>8}  {'work':<12}{'peer':<8}{'ours/s':>9}{'peer/s':>9}{'ratio':>8}{'read':>8}")
    for shape in args.shape:
        for threads in args.threads:
            for prompt, tokens in [(0, args.tokens), *((p, 0) for p in args.prompts)]:
                for entry in measure(program, shape, threads, prompt, tokens, args.repeats):
                    entries.append(entry)
                    show(entry)
            if args.slots:
                entries.append(measure_slots(shape, threads, args.slots, args.tokens, args.repeats))
                show(entries[-1])
    if args.json:
        args.json.write_text(json.dumps(entries, indent=1) + "\n")
        print(f"written to {args.json}")


if __name__ == "__main__":
    main()

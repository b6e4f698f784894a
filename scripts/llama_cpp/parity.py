"""Terntable's GGUF in llama.cpp: logits, perplexity and tokens.

    cargo build --release && python scripts/llama_cpp/parity.py [--trained FOLDER ...] [--json FILE]

Models are converted to TQ2_0 by `terntable convert` and run by both: random ones of the architectures `llama`
(grouped-query heads, separate head, divided rotary frequencies) and `bitnet`, written in F16 by the `gguf`
package, on texts that they made themselves; and trained ones, folders that scripts/train/train.py wrote, on text that
they were not trained on. Tokenizers of every kind are read by llama.cpp from a GGUF file and by the tokenizers library
from the folder that `terntable convert` makes of it. llama.cpp is that of llama-cpp-python (peer.py).
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import tokenizers

import peer

ROOT = peer.ROOT
PROGRAM = ROOT / "target" / "release" / "terntable"
TEXT = ROOT / "models/shakespeare/tinyshakespeare.txt"
HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, CONTEXT = 256, 512, 4, 4, 2, 64, 256
MIN_COSINE, MAX_PERPLEXITY, STRINGS = 0.998, 0.01, 10_000
# Windows of text that a trained model is compared on.
WINDOWS = 8
# The types of K and V in llama.cpp, by their numbers in ggml.h.
KV = {"f16": 1, "q8_0": 8}

llama_cpp = peer.binding()


def terntable(*args):
    done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"terntable {' '.join(map(str, args))}: {done.stderr}")
    return json.loads(done.stdout)


def log_probabilities(logits):
    logits = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


class LlamaCpp:
    """llama.cpp with a model."""

    def __init__(self, path, kv):
        # Only flash attention takes values in Q8_0.
        self.llama = llama_cpp.Llama(
            str(path), n_ctx=CONTEXT, n_batch=CONTEXT, n_threads=1, n_threads_batch=1, logits_all=True,
            type_k=KV[kv], type_v=KV[kv], flash_attn=kv != "f16", verbose=False,
        )

    def log_probabilities(self, tokens):
        """Of every token after every prefix."""
        self.llama.reset()
        self.llama.eval(tokens)
        return log_probabilities(np.array(self.llama.scores[: len(tokens)]))

    def tokens(self, text):
        return self.llama.tokenize(text.encode(), add_bos=False, special=True)


def our_log_probabilities(path, tokens):
    ids = ",".join(map(str, tokens))
    rows = terntable("logits", "--model", path, "--device", "cpu", "--head", "full", "--json", "--tokens", ids)
    return log_probabilities(np.array(rows["logits"]))


def byte_characters():
    plain = lambda b: 33 <= b <= 126 or 161 <= b <= 172 or b >= 174
    extra = iter(range(256, 512))
    return [chr(b if plain(b) else next(extra)) for b in range(256)]


def byte_level(writer, pre):
    """The bundled model's tokens and two special ones."""
    tokenizer = json.loads((ROOT / "models/shakespeare/tokenizer.json").read_text())["model"]
    tokens = sorted(tokenizer["vocab"], key=tokenizer["vocab"].get)
    tokens += ["<|begin|>", "<|end|>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (len(tokens) - 2) + [3, 3])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["merges"]])
    writer.add_bos_token_id(len(tokens) - 2)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_add_bos_token(False)
    return len(tokens)


def scored(writer):
    """A vocabulary as SentencePiece makes it, of the bundled tokens that are text."""
    tokenizer = json.loads((ROOT / "models/shakespeare/tokenizer.json").read_text())["model"]
    merged = ["".join(pair).replace("\u0120", "\u2581") for pair in tokenizer["merges"]]
    merged = list(dict.fromkeys(m for m in merged if "\u010a" not in m))
    letters = sorted({c for m in merged for c in m})
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    first = len(tokens)
    tokens += merged + [c for c in letters if c not in merged]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * first + [-float(i) for i in range(len(tokens) - first)])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (len(tokens) - first))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    return len(tokens)


def write(path, architecture, vocabulary, rng, layers=LAYERS):
    """A random ternary model in F16. Blocks add about as much as the embedding brings."""
    writer = gguf.GGUFWriter(path, architecture)
    vocab = vocabulary(writer)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_vocab_size(vocab)
    real = lambda *shape: rng.standard_normal(shape).astype(np.float16)
    norm = lambda n, size=1.0: (size * (1 + 0.2 * rng.standard_normal(n))).astype(np.float32)
    ternary = lambda rows, cols, scale: rng.integers(-1, 2, (rows, cols)) * np.float16(scale)
    writer.add_tensor("token_embd.weight", real(vocab, HIDDEN))
    for layer in range(layers):
        add = lambda name, data: writer.add_tensor(f"blk.{layer}.{name}.weight", data)
        add("attn_norm", norm(HIDDEN))
        add("ffn_norm", norm(HIDDEN))
        if architecture == "bitnet":
            add("attn_sub_norm", norm(HEADS * HEAD_DIM))
            add("ffn_sub_norm", norm(FFN))
        for name, rows, cols, scale in [
            ("attn_q", HEADS * HEAD_DIM, HIDDEN, 0.09),
            ("attn_k", KV_HEADS * HEAD_DIM, HIDDEN, 0.09),
            ("attn_v", KV_HEADS * HEAD_DIM, HIDDEN, 0.07),
            ("attn_output", HIDDEN, HEADS * HEAD_DIM, 0.1),
            ("ffn_gate", FFN, HIDDEN, 0.08),
            ("ffn_up", FFN, HIDDEN, 0.08),
            ("ffn_down", HIDDEN, FFN, 0.08),
        ]:
            add(name, ternary(rows, cols, scale).astype(np.float16))
    writer.add_tensor("output_norm.weight", norm(HIDDEN, 0.1))
    if architecture == "llama":
        writer.add_tensor("output.weight", real(vocab, HIDDEN))
        factors = np.linspace(1, 8, HEAD_DIM // 2).astype(np.float32)
        writer.add_tensor("rope_freqs.weight", factors)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return vocab


def compare(name, path, windows):
    """Both on the same file and tokens, windows of them."""
    ours = [our_log_probabilities(path, tokens) for tokens in windows]
    for kv in KV:
        theirs = LlamaCpp(path, kv)
        cosines, best, losses = [], [], []
        for tokens, a in zip(windows, ours):
            b = theirs.log_probabilities(tokens)
            at = np.arange(len(tokens) - 1), tokens[1:]
            losses += zip(-a[at], -b[at])
            best += list(a.argmax(1) == b.argmax(1))
            a, b = (rows - rows.mean(1, keepdims=True) for rows in (a, b))
            cosines += list((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)))
        perplexity = np.exp(np.mean(losses, axis=0))
        yield {
            "model": name, "kv": kv, "positions": len(best), "min_cosine": float(min(cosines)),
            "mean_cosine": float(np.mean(cosines)), "same_best": float(np.mean(best)),
            "perplexity": float(perplexity[0]), "llama_cpp": float(perplexity[1]),
            "difference": float(perplexity[0] / perplexity[1] - 1),
        }


def random_model(folder, architecture, rng):
    real, path = folder / f"{architecture}-f16.gguf", folder / f"{architecture}.gguf"
    write(real, architecture, lambda writer: byte_level(writer, "gpt-2"), rng)
    terntable("convert", real, path, "--json")
    made = terntable("generate", "--model", path, "--device", "cpu", "--prompt", "ROMEO:", "--temperature", 1,
                     "--seed", 5, "--max-tokens", 120, "--json")["tokens"]
    return compare(f"{architecture}, random", path, [made])


def trained_model(folder, checkpoint):
    path = folder / f"{checkpoint.name}-trained.gguf"
    terntable("convert", checkpoint, path, "--json")
    text = TEXT.read_text()
    held_out = text[-len(text) // 10 :]
    ids = tokenizers.Tokenizer.from_file(str(checkpoint / "tokenizer.json")).encode(held_out).ids
    starts = range(0, len(ids) - CONTEXT, (len(ids) - CONTEXT) // (WINDOWS - 1))
    return compare(f"{checkpoint.name}, trained", path, [ids[i : i + CONTEXT] for i in starts])


PARTS = [
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "a",
    "the",
    "The",
    " king",
    "hello",
    "'s",
    "'S",
    "'ll",
    "'LL",
    "1",
    "12345",
    "\u00b2",
    "!",
    "...",
    "?!",
    "$+<=>^~|",
    "(",
    "\u00e9",
    "\u00df",
    "\ufb01",
    "\u4e16\u754c",
    "\U0001f642",
    "\U0001f469\u200d\U0001f680",
    "\u0301",
    "\u00a0",
    "\u3000",
    "\u200b",
    "_",
    "-",
    "\u0120",
    "\u01c5",
    "\u0e01",
    "\u0627",
    "<|end|>",
    "</s>",
    "\x7f",
    "\u2581",
]


def strings(count):
    """Random joins of what tokenizers stumble over, and lines of text."""
    draw = random.Random(3)
    text = (ROOT / "models/shakespeare/tinyshakespeare.txt").read_text()
    for _ in range(count):
        if draw.random() < 0.2:
            start = draw.randrange(len(text) - 80)
            yield text[start : start + draw.randrange(1, 80)]
        else:
            yield "".join(draw.choice(PARTS) for _ in range(draw.randrange(1, 12)))


def tokens(folder, name, vocabulary, rng):
    path, out = folder / f"tokens-{name}.gguf", folder / f"tokens-{name}"
    write(path, "bitnet", vocabulary, rng, layers=1)
    terntable("convert", path, out, "--to", "hf", "--json")
    ours = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json"))
    peer_tokens, different = LlamaCpp(path, "f16").tokens, []
    for text in strings(STRINGS):
        if ours.encode(text, add_special_tokens=False).ids != peer_tokens(text):
            different.append(text)
    return {
        "tokenizer": name,
        "strings": STRINGS,
        "different": len(different),
        "examples": different[:5],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trained", type=Path, nargs="*", default=[], help="folders of trained models")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args()
    rng = np.random.default_rng(5)
    kinds = {
        pre: (lambda writer, pre=pre: byte_level(writer, pre))
        for pre in ("gpt-2", "default", "llama-bpe")
    }
    kinds["scores"] = scored
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = [row for arch in ("llama", "bitnet") for row in random_model(folder, arch, rng)]
        models += [row for checkpoint in args.trained for row in trained_model(folder, checkpoint)]
        for row in models:
            print(json.dumps(row))
        texts = [tokens(folder, name, kind, rng) for name, kind in kinds.items()]
        for row in texts:
            print(json.dumps(row))
    if args.json:
        args.json.write_text(json.dumps({"models": models, "tokenizers": texts}, indent=1) + "\n")
    bad = [
        m for m in models if m["min_cosine"] < MIN_COSINE or abs(m["difference"]) > MAX_PERPLEXITY
    ]
    bad += [t for t in texts if t["different"]]
    if bad:
        sys.exit(f"{len(bad)} comparisons fail")
    print("llama.cpp and Terntable agree")


if __name__ == "__main__":
    main()

"""Terntable's GGUF in llama.cpp: logits, perplexity and tokens.

    cargo build --release && python scripts/gguf/llama_cpp.py [--json FILE]

Random models of the architectures `llama` (grouped-query heads, separate head, divided rotary
frequencies) and `bitnet` are written in F16 by the `gguf` package, converted to TQ2_0 by `terntable
convert`, and run by both on texts that the model itself made. Tokenizers of every kind are read by
llama.cpp from a GGUF file and by the tokenizers library from the folder that `terntable convert` makes
of it. The packages have the versions of the group `parity` in scripts/tools.toml; xllamacpp brings
llama.cpp ready built.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import gguf
import numpy as np
import tokenizers
import xllamacpp

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "target" / "release" / "terntable"
HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, CONTEXT = 256, 512, 4, 4, 2, 64, 256
MIN_COSINE, MAX_PERPLEXITY, STRINGS = 0.998, 0.01, 10_000


def terntable(*args):
    done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"terntable {' '.join(map(str, args))}: {done.stderr}")
    return json.loads(done.stdout)


class Server:
    """llama.cpp with a model, on the loopback interface."""

    def __init__(self, path, kv):
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.warmup = CONTEXT, 1, False
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.verbosity = -1
        if kv == "q8_0":
            q8_0 = xllamacpp.ggml_type.GGML_TYPE_Q8_0
            params.cache_type_k = params.cache_type_v = q8_0
        self.server = xllamacpp.Server(params)

    def ask(self, path, body):
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{self.server.listening_address}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
            return json.load(answer)

    def log_probabilities(self, tokens, vocab):
        """Of every token after every prefix."""
        rows = np.full((len(tokens), vocab), np.nan)
        for n, row in enumerate(rows, 1):
            # The bias chooses a token that is a whole character; what is reported is without it.
            body = {
                "prompt": tokens[:n],
                "n_predict": 1,
                "n_probs": vocab,
                "temperature": 0.0,
                "logit_bias": [[65, 1000.0]],
            }
            answer = self.ask("/completion", body)
            for entry in answer["completion_probabilities"][0]["top_logprobs"]:
                row[entry["id"]] = entry["logprob"]
        return rows


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


def logits(folder, architecture, rng):
    """Both on the same file and tokens."""
    real, path = folder / f"{architecture}-f16.gguf", folder / f"{architecture}.gguf"
    vocab = write(real, architecture, lambda writer: byte_level(writer, "gpt-2"), rng)
    terntable("convert", real, path, "--json")
    results = []
    made = terntable(
        "generate",
        "--model",
        path,
        "--prompt",
        "ROMEO:",
        "--temperature",
        1,
        "--seed",
        5,
        "--max-tokens",
        120,
        "--json",
    )["tokens"]
    ours = np.array(
        terntable(
            "logits",
            "--model",
            path,
            "--head",
            "full",
            "--json",
            "--tokens",
            ",".join(map(str, made)),
        )["logits"]
    )
    ours -= ours.max(1, keepdims=True)
    ours -= np.log(np.exp(ours).sum(1, keepdims=True))
    for kv in ("f16", "q8_0"):
        theirs = Server(path, kv).log_probabilities(made, vocab)
        a, b = (rows - rows.mean(1, keepdims=True) for rows in (ours, theirs))
        cosine = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
        at = np.arange(len(made) - 1), made[1:]
        perplexity = [float(np.exp(-rows[at].mean())) for rows in (ours, theirs)]
        results.append(
            {
                "architecture": architecture,
                "kv": kv,
                "positions": len(made),
                "min_cosine": float(cosine.min()),
                "mean_cosine": float(cosine.mean()),
                "same_best": float((a.argmax(1) == b.argmax(1)).mean()),
                "perplexity": perplexity[0],
                "llama_cpp": perplexity[1],
                "difference": perplexity[0] / perplexity[1] - 1,
            }
        )
    return results


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
    server, different = Server(path, "f16"), []
    for text in strings(STRINGS):
        body = {"content": text, "add_special": False, "parse_special": True}
        theirs = server.ask("/tokenize", body)["tokens"]
        if ours.encode(text, add_special_tokens=False).ids != theirs:
            different.append(text)
    return {
        "tokenizer": name,
        "strings": STRINGS,
        "different": len(different),
        "examples": different[:5],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
        models = [row for arch in ("llama", "bitnet") for row in logits(folder, arch, rng)]
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

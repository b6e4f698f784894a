"""Writes a GGUF file with the names, shapes and types of BitNet b1.58 2B-4T and random weights: 1.2 GB.

    python scripts/gguf/full_size.py OUT.gguf

Architecture bitnet-b1.58, I2_S matrices, F16 embedding, 128,256 tokens of byte-level BPE.
"""

import struct
import sys
from pathlib import Path

import numpy as np

HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT = 2560, 6912, 30, 20, 5, 128256, 4096
KV = KV_HEADS * HIDDEN // HEADS
ARCH = "bitnet-b1.58"
I2_S, F16, F32 = 36, 1, 0


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def array(kind, items):
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def vocabulary():
    """Bytes, then pairs of tokens from there, each once."""
    plain = lambda b: 33 <= b <= 126 or 161 <= b <= 172 or b >= 174
    extra = iter(range(256, 512))
    tokens = [chr(b if plain(b) else next(extra)) for b in range(256)]
    merges, seen, left = [], set(tokens), 0
    while len(tokens) < VOCAB - 256:
        for right in range(256):
            pair = tokens[left] + tokens[right]
            if pair not in seen and len(tokens) < VOCAB - 256:
                seen.add(pair)
                merges.append(f"{tokens[left]} {tokens[right]}")
                tokens.append(pair)
        left += 1
    special = ["<|begin_of_text|>", "<|end_of_text|>"] + [f"<|reserved_{i}|>" for i in range(254)]
    return tokens + special, merges


def tensors():
    yield "token_embd.weight", F16, (HIDDEN, VOCAB)
    for n in range(LAYERS):
        for name, length in [
            ("attn_norm", HIDDEN),
            ("attn_sub_norm", HIDDEN),
            ("ffn_norm", HIDDEN),
            ("ffn_sub_norm", FFN),
        ]:
            yield f"blk.{n}.{name}.weight", F32, (length,)
        for name, cols, rows in [
            ("attn_q", HIDDEN, HIDDEN),
            ("attn_k", HIDDEN, KV),
            ("attn_v", HIDDEN, KV),
            ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", HIDDEN, FFN),
            ("ffn_up", HIDDEN, FFN),
            ("ffn_down", FFN, HIDDEN),
        ]:
            yield f"blk.{n}.{name}.weight", I2_S, (cols, rows)
    yield "output_norm.weight", F32, (HIDDEN,)


def data(rng, kind, shape):
    elements = int(np.prod(shape))
    if kind == F32:
        return np.ones(elements, np.float32).tobytes()
    if kind == F16:
        return rng.standard_normal(elements, np.float32).astype(np.float16).tobytes()
    # A byte of four codes of 0, 1 and 2; the scale and its padding.
    codes = np.array(
        [
            a | b << 2 | c << 4 | d << 6
            for a in range(3)
            for b in range(3)
            for c in range(3)
            for d in range(3)
        ],
        np.uint8,
    )
    return codes[rng.integers(0, 81, elements // 4, np.uint8)].tobytes() + struct.pack("<f28x", 0.8)


def main():
    rng = np.random.default_rng(1)
    tokens, merges = vocabulary()
    u32 = lambda key, value: string(key) + struct.pack("<II", 4, value)
    f32 = lambda key, value: string(key) + struct.pack("<If", 6, value)
    text = lambda key, value: string(key) + struct.pack("<I", 8) + string(value)
    types = [struct.pack("<i", 1 if i < VOCAB - 256 else 3) for i in range(VOCAB)]
    keys = [
        text("general.architecture", ARCH),
        text("general.name", "bitnet2b_random"),
        u32("general.file_type", 40),
        u32(f"{ARCH}.block_count", LAYERS),
        u32(f"{ARCH}.context_length", CONTEXT),
        u32(f"{ARCH}.embedding_length", HIDDEN),
        u32(f"{ARCH}.feed_forward_length", FFN),
        u32(f"{ARCH}.attention.head_count", HEADS),
        u32(f"{ARCH}.attention.head_count_kv", KV_HEADS),
        u32(f"{ARCH}.rope.dimension_count", HIDDEN // HEADS),
        f32(f"{ARCH}.rope.freq_base", 500000.0),
        f32(f"{ARCH}.attention.layer_norm_rms_epsilon", 1e-5),
        u32(f"{ARCH}.vocab_size", VOCAB),
        text("tokenizer.ggml.model", "gpt2"),
        text("tokenizer.ggml.pre", "llama-bpe"),
        string("tokenizer.ggml.tokens")
        + struct.pack("<I", 9)
        + array(8, [string(t) for t in tokens]),
        string("tokenizer.ggml.token_type") + struct.pack("<I", 9) + array(5, types),
        string("tokenizer.ggml.merges")
        + struct.pack("<I", 9)
        + array(8, [string(m) for m in merges]),
        u32("tokenizer.ggml.bos_token_id", VOCAB - 256),
        u32("tokenizer.ggml.eos_token_id", VOCAB - 255),
    ]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(list(tensors())), len(keys)) + b"".join(keys)
    offset, sizes = 0, {F32: 4, F16: 2, I2_S: 0.25}
    for name, kind, shape in tensors():
        header += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        size = int(np.prod(shape) * sizes[kind]) + (32 if kind == I2_S else 0)
        offset += -size % 32 + size
    with open(Path(sys.argv[1]), "wb") as out:
        out.write(header + bytes(-len(header) % 32))
        for _, kind, shape in tensors():
            block = data(rng, kind, shape)
            out.write(block + bytes(-len(block) % 32))


if __name__ == "__main__":
    main()

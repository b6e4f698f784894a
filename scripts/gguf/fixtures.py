"""Writes gguf/tests/fixtures/ with the `gguf` package: tensors of every type that Terntable reads, the
values that the package gives for them, and keys of every type.

    python scripts/gguf/fixtures.py

The package and numpy have the versions of the group `parity` in scripts/tools.toml. I2_S is not in the
package: its blocks are laid out here from its description, element by element.
"""

import struct
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np

OUT = Path(__file__).parents[2] / "gguf" / "tests" / "fixtures"
ROWS = 3
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_K", "Q6_K", "TQ1_0", "TQ2_0"]
KIND = gguf.GGMLQuantizationType


def raw_blocks(rng, kind):
    """Random bytes, but with scales that are finite: every code, sign and exponent appears."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    bytes_ = rng.integers(0, 256, (ROWS * (512 // block), size), dtype=np.uint8)
    halves = {"Q8_0": [0], "Q4_K": [0, 2], "Q6_K": [208], "TQ1_0": [52], "TQ2_0": [64]}
    for at in halves.get(kind.name, []):
        scales = rng.standard_normal(len(bytes_)).astype(np.float16)
        scales[:3] = [6e-8, -0.0, 60000]
        bytes_[:, at : at + 2] = scales.view(np.uint8).reshape(-1, 2)
    return bytes_.reshape(ROWS, -1)


def types(rng):
    writer = gguf.GGUFWriter(OUT / "types.gguf", "llama")
    for name in TYPES:
        kind = KIND[name]
        if name in ("F32", "F16", "BF16"):
            real = rng.standard_normal((ROWS, 512)) * 10.0 ** rng.integers(-9, 4, (ROWS, 512))
            data = gguf.quants.quantize(real.astype(np.float32), kind)
        else:
            data = raw_blocks(rng, kind)
        expected = gguf.quants.dequantize(data, kind).astype(np.float32).reshape(ROWS, 512)
        writer.add_tensor(name, data, raw_dtype=kind)
        writer.add_tensor(f"{name}.expected", expected)
    # What the package's own quantisers make of ternary and of real rows.
    ternary = rng.integers(-1, 2, (ROWS, 512)).astype(np.float32) * np.float32(0.37)
    ternary[1, :256] = 0
    real = rng.standard_normal((ROWS, 512)).astype(np.float32)
    # Halves, which round away from zero: d is 1 here.
    real[0, :8] = [127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.5]
    for name in ("TQ1_0", "TQ2_0", "Q8_0"):
        source = real if name == "Q8_0" else ternary
        data = gguf.quants.quantize(source, KIND[name])
        writer.add_tensor(f"{name}.quantised", data, raw_dtype=KIND[name])
        writer.add_tensor(f"{name}.source", source)
    # Real weights quantised block by block: scales differ.
    data = gguf.quants.quantize(real, KIND.TQ2_0)
    writer.add_tensor("TQ2_0.blocks", data, raw_dtype=KIND.TQ2_0)
    finish(writer)


def i2_s(rng):
    """Trits and scale, and the tensor as the BitNet fork stores it on x86."""
    rows, cols, scale = 4, 256, 0.0625 * 1.1
    trits = rng.integers(-1, 2, rows * cols).astype(np.int8)
    stored = bytearray(rows * cols // 4 + 32)
    for j, trit in enumerate(trits):
        block, at = divmod(j, 128)
        stored[block * 32 + at % 32] |= (int(trit) + 1) << (6 - 2 * (at // 32))
    struct.pack_into("<f", stored, rows * cols // 4, scale)
    expected = trits.astype(np.float32) * np.float32(scale)

    # The package does not know the type: the header is written by hand, version 2 for once.
    def string(text):
        return struct.pack("<Q", len(text)) + text.encode()

    header = b"GGUF" + struct.pack("<IQQ", 2, 2, 1)
    header += string("general.architecture") + struct.pack("<I", 8) + string("bitnet-25")
    header += string("I2_S") + struct.pack("<IQQIQ", 2, cols, rows, 36, 0)
    padded = -len(stored) % 32
    offset = len(stored) + padded
    header += string("I2_S.expected") + struct.pack("<IQQIQ", 2, cols, rows, 0, offset)
    header += bytes(-len(header) % 32)
    data = bytes(stored) + bytes(padded) + expected.tobytes()
    (OUT / "i2_s.gguf").write_bytes(header + data)


def keys():
    writer = gguf.GGUFWriter(OUT / "keys.gguf", "bitnet")
    writer.add_custom_alignment(64)
    writer.add_uint8("a.u8", 255)
    writer.add_int8("a.i8", -128)
    writer.add_uint16("a.u16", 65535)
    writer.add_int16("a.i16", -32768)
    writer.add_uint32("a.u32", 2**32 - 1)
    writer.add_int32("a.i32", -(2**31))
    writer.add_uint64("a.u64", 2**64 - 1)
    writer.add_int64("a.i64", -(2**63))
    writer.add_float32("a.f32", 1.5)
    writer.add_float64("a.f64", -2.25)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "Grüße, 世界")
    writer.add_array("a.strings", ["", "a b", "ü"])
    writer.add_array("a.integers", [1, -2, 3])
    writer.add_array("a.reals", [0.5, -1.0])
    writer.add_array("a.bools", [True, False])
    writer.add_tensor("first", np.arange(3, dtype=np.float32))
    writer.add_tensor("second", np.arange(8, dtype=np.float16).reshape(2, 4))
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    types(rng)
    i2_s(rng)
    keys()
    print(f"gguf {version('gguf')}, numpy {np.__version__}:")
    for path in sorted(OUT.glob("*.gguf")):
        print(f"{path.stat().st_size:>8}  {path.name}")

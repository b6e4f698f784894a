"""Random ternary checkpoints, written as Hugging Face stores them.

A checkpoint is made in transformers' own module tree (`BitNetForCausalLM`, `LlamaForCausalLM`), its
ternary matrices packed by transformers' own `pack_weights`. Every number follows from the
configuration's seed.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BitNetConfig,
    BitNetForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.integrations.bitnet import pack_weights

SEED = 20260
LENGTHS = (48, 17, 5, 1)  # tokens of the sequences; the first two need several passes of 16 slots


@dataclass(frozen=True)
class Spec:
    """One configuration. `linear` is `linear_class`; None leaves it out, as older files do."""

    linear: str | None
    packed: bool
    heads: int
    kv_heads: int
    hidden: int
    intermediate: int
    vocab: int
    tied: bool
    dtype: torch.dtype
    theta: float = 10_000.0
    layers: int = 2
    old_style: bool = False  # rope_theta and torch_dtype, as in the published BitNet files
    llama: bool = False  # LlamaForCausalLM: SiLU, no sub-norms
    stretched: bool = False  # rotary scaling as in Llama 3
    norms: bool = False  # use_rms_norm: a norm in every linear layer
    shards: int = 1

    @property
    def name(self) -> str:
        parts = (
            "llama" if self.llama else "",
            self.linear or "default",
            "packed" if self.packed else "unpacked",
            f"gqa{self.heads // self.kv_heads}",
            "tied" if self.tied else "separate",
            {torch.bfloat16: "bf16", torch.float32: "f32"}[self.dtype],
            "stretched" if self.stretched else "",
            "norms" if self.norms else "",
            "sharded" if self.shards > 1 else "",
        )
        return "-".join(filter(None, parts))


AUTO, BIT, BF16, F32 = "autobitlinear", "bitlinear", torch.bfloat16, torch.float32
# No hidden or intermediate size is a multiple of 3. transformers' packed layers need rows in
# multiples of 4; its `bitlinear` has no unpacked form.
SPECS = (
    Spec(AUTO, True, 4, 4, 64, 100, 112, True, BF16, 500_000.0, old_style=True),
    Spec(AUTO, True, 4, 2, 80, 140, 64, False, F32),
    Spec(AUTO, True, 4, 1, 80, 148, 112, True, BF16, layers=3),
    Spec(AUTO, False, 5, 5, 50, 70, 67, False, BF16, layers=1),
    Spec(AUTO, False, 2, 1, 40, 58, 64, True, F32, 500_000.0, layers=1),
    Spec(AUTO, False, 4, 1, 40, 58, 64, False, BF16, old_style=True, layers=1),
    Spec(BIT, True, 2, 2, 68, 124, 64, False, BF16),
    Spec(BIT, True, 4, 2, 88, 136, 64, True, F32, 100_000.0),
    Spec(None, True, 4, 1, 64, 112, 96, False, BF16, 500_000.0, old_style=True),
    Spec(AUTO, True, 4, 2, 64, 100, 80, True, BF16, norms=True, shards=2),
    Spec(BIT, True, 4, 2, 64, 124, 88, False, BF16, llama=True, old_style=True),
    Spec(None, True, 4, 1, 64, 112, 80, False, BF16, llama=True, stretched=True, shards=3),
    Spec(AUTO, False, 2, 2, 40, 70, 80, True, BF16, llama=True, shards=2, layers=1),
    Spec(AUTO, False, 4, 1, 32, 46, 64, False, F32, llama=True, stretched=True, layers=1),
    Spec(AUTO, True, 4, 2, 64, 100, 64, False, F32, 500_000.0, llama=True, norms=True, layers=1),
    Spec(BIT, True, 4, 4, 64, 100, 80, True, BF16, llama=True, norms=True),
)


def seed(index: int) -> int:
    """The seed of configuration `index`."""
    return SEED + index


def config_of(spec: Spec) -> PreTrainedConfig:
    """transformers' configuration."""
    quantization = {"quant_method": "bitnet"}
    if spec.llama:
        quantization["modules_to_not_convert"] = ["lm_head"]
    if spec.norms:
        quantization["use_rms_norm"] = True
        quantization["rms_norm_eps"] = 1e-5
    if spec.linear:
        quantization["linear_class"] = spec.linear
        quantization["quantization_mode"] = "offline" if spec.packed else "online"
    rope = {"rope_type": "default", "rope_theta": spec.theta}
    if spec.stretched:
        # Heads of 16 then have frequencies that stay, that are divided and that are between.
        rope |= {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        }
    kind, name = (
        (LlamaConfig, "LlamaForCausalLM") if spec.llama else (BitNetConfig, "BitNetForCausalLM")
    )
    return kind(
        architectures=[name],
        dtype=spec.dtype,
        vocab_size=spec.vocab,
        hidden_size=spec.hidden,
        intermediate_size=spec.intermediate,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        num_key_value_heads=spec.kv_heads,
        max_position_embeddings=64,
        rope_parameters=rope,
        tie_word_embeddings=spec.tied,
        bos_token_id=None,
        eos_token_id=None,
        quantization_config=quantization,
    )


def _randomise(model: PreTrainedModel, spec: Spec, generator: torch.Generator) -> None:
    """Weights that give logits a spread of some nats, in which every block has its share.

    Larger blocks (about the size of the embedding) make a network of random weights so sensitive
    that int8 keys alone put single positions below the criterion; transformers against itself,
    its embeddings changed by 1e-4, then falls to a cosine of 0.9991.
    """

    def normal(shape, std):
        return torch.randn(shape, generator=generator) * std

    for name, value in sorted(model.named_parameters()):
        if value.dim() == 1:
            value.data = 1 + normal(value.shape, 0.2)
        elif "_proj" in name:
            # Blocks add about half of what the embedding brought.
            adds = name.split(".")[-2] in ("o_proj", "down_proj")
            gain = (0.3 if spec.tied else 0.7) if adds else 1.2
            value.data = normal(value.shape, gain / math.sqrt(value.shape[1]))
        elif spec.tied or "lm_head" in name:
            # Rows of different length, as trained heads have.
            gain = torch.exp(normal((value.shape[0], 1), 0.4))
            value.data = gain * normal(value.shape, 3 / math.sqrt(spec.hidden))
        else:
            value.data = normal(value.shape, 1.0)


def _tensors(
    model: PreTrainedModel, spec: Spec, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """The tensors of the checkpoint, from master weights in float32."""
    stored = {}
    for name, value in sorted(model.state_dict().items()):
        if spec.tied and name == "lm_head.weight":
            continue
        if spec.packed and "_proj" in name:
            scale = value.abs().mean().clamp(min=1e-5)
            stored[name] = pack_weights((value / scale).round().clamp(-1, 1))
            scale = scale if spec.linear == AUTO else 1 / scale
            stored[f"{name}_scale"] = scale.reshape(1).to(spec.dtype)
        else:
            stored[name] = value.to(spec.dtype).contiguous()
        if spec.norms and "_proj" in name:
            norm = 1 + 0.2 * torch.randn(value.shape[1], generator=generator)
            stored[name.replace(".weight", ".rms_norm.weight")] = norm.to(spec.dtype)
    return stored


def _write_tensors(stored: dict[str, torch.Tensor], folder: Path, shards: int) -> None:
    """`model.safetensors`, or shards that take turns, with their index."""
    if shards == 1:
        save_file(stored, folder / "model.safetensors", {"format": "pt"})
        return
    places = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(stored.items())[shard::shards])
        save_file(part, folder / file, {"format": "pt"})
        places |= dict.fromkeys(part, file)
    total = sum(tensor.nbytes for tensor in stored.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write_tokenizer(path: Path, vocab: int) -> None:
    """One word a token; only its size matters here."""
    words = {f"t{i}": i for i in range(vocab)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="t0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path), pretty=False)


def _age(path: Path) -> None:
    """Rewrites a config.json to the field names of transformers 4."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["rope_theta"] = fields.pop("rope_parameters")["rope_theta"]
    fields["rope_scaling"] = None
    fields["torch_dtype"] = fields.pop("dtype")
    path.write_text(json.dumps(dict(sorted(fields.items())), indent=2) + "\n", encoding="utf-8")


def write(spec: Spec, folder: Path, seed: int) -> list[list[int]]:
    """Writes the checkpoint; returns the token sequences that belong to it."""
    generator = torch.Generator().manual_seed(seed)
    config = config_of(spec)
    with torch.no_grad():
        model = (LlamaForCausalLM if spec.llama else BitNetForCausalLM)(config).float()
        _randomise(model, spec, generator)
        folder.mkdir(parents=True)
        _write_tensors(_tensors(model, spec, generator), folder, spec.shards)
    config.save_pretrained(folder)
    if spec.old_style:
        _age(folder / "config.json")
    _write_tokenizer(folder / "tokenizer.json", spec.vocab)
    return [
        torch.randint(spec.vocab, (length,), generator=generator).tolist() for length in LENGTHS
    ]

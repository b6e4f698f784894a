"""Writes, and reads back, a packed BitNet checkpoint as Hugging Face stores it.

Every ternary matrix `[out, in]` becomes `uint8 [out / 4, in]`: bits `2i + 1 : 2i` of byte
`(r, c)` hold `code + 1` of row `r + i * out / 4`, and `weight_scale` (which multiplies) stands
beside it. Embeddings and norms are bfloat16. The scale is float32, but holds a bfloat16 value, so
a program that loads the file at either precision computes with the same number.
"""

import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from model import Config, Model, TernaryLinear, ternary

ARCHITECTURES = {"bitnet": "BitNetForCausalLM", "llama": "LlamaForCausalLM"}


def pack(codes: torch.Tensor) -> torch.Tensor:
    quarters = (codes + 1).to(torch.uint8).chunk(4, dim=0)
    return quarters[0] | quarters[1] << 2 | quarters[2] << 4 | quarters[3] << 6


def unpack(packed: torch.Tensor) -> torch.Tensor:
    return torch.cat([(packed >> 2 * i & 3).float() - 1 for i in range(4)], dim=0)


def tensors(model: Model) -> dict[str, torch.Tensor]:
    matrices = {n for n, m in model.named_modules() if isinstance(m, TernaryLinear)}
    out = {}
    for name, value in model.state_dict().items():
        if name.removesuffix(".weight") in matrices:
            codes, scale = ternary(value)
            out[f"model.{name}"] = pack(codes).contiguous()
            out[f"model.{name}_scale"] = scale.reshape(1)
        else:
            out[f"model.{name}"] = value.to(torch.bfloat16).contiguous()
    return out


def config_json(c: Config) -> dict:
    return {
        "architectures": [ARCHITECTURES[c.model_type]],
        **c.to_dict(),
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "use_cache": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "torch_dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "offline",
        },
    }


def save(folder: Path, model: Model, tokenizer) -> None:
    """Writes the folder; each file is replaced as a whole, so a reader never sees half of one."""
    folder.mkdir(parents=True, exist_ok=True)

    def replace(name: str, write) -> None:
        part = folder / f".{name}.part"
        write(part)
        part.chmod(0o644)
        os.replace(part, folder / name)

    def text(value: dict):
        return lambda path: path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")

    replace("tokenizer.json", lambda path: tokenizer.save(str(path)))
    replace(
        "tokenizer_config.json",
        text(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "model_max_length": model.c.max_position_embeddings,
                "clean_up_tokenization_spaces": False,
            }
        ),
    )
    replace("config.json", text(config_json(model.c)))
    replace("generation_config.json", text({"do_sample": True, "temperature": 0.8, "top_k": 50}))
    stored = tensors(model)
    replace("model.safetensors", lambda path: save_file(stored, path, metadata={"format": "pt"}))


def load(folder: Path, int8_rows: bool = False) -> Model:
    """The model as the files hold it, for evaluation in float32."""
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = Config(**{name: fields[name] for name in Config.__dataclass_fields__})
    model = Model(config, int8_rows)
    stored = load_file(folder / "model.safetensors")
    for name, module in model.named_modules():
        if isinstance(module, TernaryLinear):
            codes = unpack(stored.pop(f"model.{name}.weight"))
            module.stored = codes, stored.pop(f"model.{name}.weight_scale").float()
    rest = {name.removeprefix("model."): value.float() for name, value in stored.items()}
    missing, unexpected = model.load_state_dict(rest, strict=False)
    assert not unexpected and all(name.endswith("_proj.weight") for name in missing)
    return model.eval()

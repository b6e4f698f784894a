"""The reference: transformers' own classes, in float32 on the CPU.

Its forward is transformers' code from end to end. Two things are set around it: `torch.compile` is
off (the decorated functions run as they are written), and the check for `accelerate` is answered
with yes, because a model that fits one CPU loads without it.
"""

import os

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.integrations.bitnet import AutoBitLinear, BitLinear
from transformers.quantizers import quantizer_bitnet

quantizer_bitnet.is_accelerate_available = lambda *_: True
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load(folder: Path) -> PreTrainedModel:
    """Loads a checkpoint folder; every projection must have become a BitNet layer."""
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    problems = {name: keys for name, keys in report.items() if keys}
    if problems:
        raise RuntimeError(f"{folder}: transformers loaded the checkpoint in part: {problems}")
    for name, module in model.named_modules():
        if name.endswith("_proj") and not isinstance(module, (BitLinear, AutoBitLinear)):
            raise RuntimeError(f"{folder}: {name} is a {type(module).__name__}, not a BitNet layer")
    # Beside packed weights transformers leaves the other tensors in the file's type, and refuses
    # its own .float(); widening changes no value.
    return torch.nn.Module.float(model).eval()


@torch.inference_mode()
def logits(model: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    """Logits of one sequence: positions x vocabulary."""
    return model(torch.tensor([tokens])).logits[0]


def nats_per_character(folder: Path, text: str, window: int, stride: int) -> float:
    """Loss on a text, cut as `terntable eval` cuts it (host/src/eval.rs).

    Windows of `window` tokens, each `stride` after the one before; a token is scored once, in the
    first window that holds it. The first token is not scored; its characters count.
    """
    model = load(folder)
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    nats, start, scored = 0.0, 0, 1
    while scored < len(tokens):
        end = min(start + window, len(tokens) - 1)
        targets = torch.tensor(tokens[scored : end + 1])
        rows = logits(model, tokens[start:end])[-len(targets) :]
        nats += torch.nn.functional.cross_entropy(rows.double(), targets, reduction="sum").item()
        scored, start = end + 1, start + stride
    return nats / len(text)

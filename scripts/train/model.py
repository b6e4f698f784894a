"""The model: BitNet b1.58 with grouped-query attention, as `BitNetForCausalLM` defines it; or Llama's
architecture with ternary matrices (`model_type` "llama": no sub-norms).

Two sources fix the arithmetic:

* Ma et al., "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits" (2024): ternary
  weights by the mean of the absolute values, int8 activations per token by the largest absolute
  value, gradients passed straight through both roundings.
* The Hugging Face `bitnet` architecture: rotary embedding over two halves, grouped keys and
  values, squared-ReLU gate (or SiLU), one RMS norm before each block and one more ("sub norm") before the
  output and the down projection.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

#: Smallest value by which a scale divides; the same constant as in the reference.
TINY = 1e-5


@dataclass
class Config:
    """Shape of the model, in the field names of a Hugging Face `config.json`."""

    vocab_size: int
    hidden_size: int = 256
    intermediate_size: int = 768
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    max_position_embeddings: int = 512
    model_type: str = "bitnet"
    hidden_act: str = "relu2"

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    def to_dict(self) -> dict:
        return asdict(self)


#: What the gate does to its rows, by the name in a `config.json`.
GATES = {"relu2": lambda x: F.relu(x).square(), "silu": F.silu}


def ternary(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes in {-1, 0, 1} (as floats) and the scale that multiplies them.

    The scale is stored as bfloat16 in the checkpoint, so it is rounded to bfloat16 here: training,
    evaluation and the exported file then hold one and the same number. The codes come from the
    unrounded mean, as in the reference.
    """
    mean = weight.float().abs().mean().clamp(min=TINY)
    codes = (weight.float() / mean).round().clamp(-1, 1)
    return codes, mean.to(torch.bfloat16).float()


def quantise_rows(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 values (as floats) of each row and the factor that was applied to it.

    The rounding is invisible to the gradient (straight-through estimator).
    """
    x = x.float()
    factor = 127.0 / x.detach().abs().amax(-1, keepdim=True).clamp(min=TINY)
    scaled = x * factor
    return scaled + (scaled.round().clamp(-128, 127) - scaled).detach(), factor


def fake_quantise_rows(x: torch.Tensor) -> torch.Tensor:
    values, factor = quantise_rows(x)
    return (values / factor).to(x.dtype)


class TernaryLinear(nn.Module):
    """`y = (int8(x) . ternary(W)) * scale(W) / factor(x)`, without bias.

    Both operands of the product are small integers, which bfloat16 holds exactly. A layer that
    was read from a checkpoint has `stored`, its codes and scale, and ignores `weight`.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * inputs**-0.5)
        self.stored: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values, factor = quantise_rows(x)
        if self.stored:
            codes, scale = self.stored
            return F.linear(values, codes) * (scale / factor)
        codes, scale = ternary(self.weight.detach())
        # Forward: the codes. Backward: dL/dW = dL/d(codes) / scale, straight through the rounding.
        soft = self.weight / scale
        product = F.linear(values, soft + (codes - soft).detach())
        return product * (scale / factor)


def sub_norm(c: Config, size: int) -> nn.Module:
    return nn.Identity() if c.model_type == "llama" else RMSNorm(size, c.rms_norm_eps)


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.float()
        return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding; the pairs are (i, i + head_dim / 2)."""
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        kv = c.num_key_value_heads * c.head_dim
        self.q_proj = TernaryLinear(c.hidden_size, c.hidden_size)
        self.k_proj = TernaryLinear(c.hidden_size, kv)
        self.v_proj = TernaryLinear(c.hidden_size, kv)
        self.o_proj = TernaryLinear(c.hidden_size, c.hidden_size)
        self.attn_sub_norm = sub_norm(c, c.hidden_size)
        size = c.max_position_embeddings
        future = torch.full((size, size), -torch.inf).triu(1)
        self.register_buffer("future", future, persistent=False)

    def forward(self, x, cos, sin, int8_rows: bool):
        c, (batch, length, _) = self.c, x.shape

        def heads(y):
            return y.view(batch, length, -1, c.head_dim).transpose(1, 2)

        q = rotate(heads(self.q_proj(x)), cos, sin)
        k = rotate(heads(self.k_proj(x)), cos, sin)
        v = heads(self.v_proj(x))
        if int8_rows:
            q, k, v = (fake_quantise_rows(t) for t in (q, k, v))
        group = c.num_attention_heads // c.num_key_value_heads
        k, v = (t.repeat_interleave(group, dim=1) for t in (k, v))
        # Plain products: on a CPU they are several times faster than the fused attention backward.
        scores = (q * c.head_dim**-0.5) @ k.mT
        y = (scores.float() + self.future[:length, :length]).softmax(-1) @ v
        y = y.transpose(1, 2).reshape(batch, length, -1)
        return self.o_proj(self.attn_sub_norm(y))


class MLP(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.gate_proj = TernaryLinear(c.hidden_size, c.intermediate_size)
        self.up_proj = TernaryLinear(c.hidden_size, c.intermediate_size)
        self.down_proj = TernaryLinear(c.intermediate_size, c.hidden_size)
        self.ffn_sub_norm = sub_norm(c, c.intermediate_size)
        self.gate = GATES[c.hidden_act]

    def forward(self, x):
        gated = self.gate(self.gate_proj(x)) * self.up_proj(x)
        return self.down_proj(self.ffn_sub_norm(gated))


class Layer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.mlp = MLP(c)

    def forward(self, x, cos, sin, int8_rows: bool, keep):
        x = x + keep(self.self_attn(self.input_layernorm(x), cos, sin, int8_rows))
        return x + keep(self.mlp(self.post_attention_layernorm(x)))


class Model(nn.Module):
    """Parameter names are those of the checkpoint, less the leading `model.`.

    With `int8_rows` the rows of Q, K and V pass through int8 as well, as in an int8 KV cache.
    """

    def __init__(self, c: Config, int8_rows: bool = False):
        super().__init__()
        self.c, self.int8_rows = c, int8_rows
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        nn.init.normal_(self.embed_tokens.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        frequency = c.rope_theta ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        angle = torch.arange(c.max_position_embeddings).float()[:, None] * frequency[None, :]
        self.register_buffer("cos", torch.cat((angle, angle), -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat((angle, angle), -1).sin(), persistent=False)

    def mask_shape(self, batch: int, length: int) -> tuple[int, ...]:
        """Dropout acts on the embedding and on the two branches of every layer."""
        return (1 + 2 * self.c.num_hidden_layers, batch, length, self.c.hidden_size)

    def forward(self, tokens, masks: torch.Tensor | None = None) -> torch.Tensor:
        """Logits, float32, of shape [batch, length, vocabulary].

        `masks` (see `mask_shape`) multiplies, which is how dropout comes in: one bulk draw
        outside is far cheaper on a CPU than thirteen draws in here.
        """
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        each = iter(()) if masks is None else iter(masks)

        def keep(x: torch.Tensor) -> torch.Tensor:
            return x if masks is None else x * next(each)

        x = keep(self.embed_tokens(tokens))
        for layer in self.layers:
            x = layer(x, cos, sin, self.int8_rows, keep)
        return F.linear(self.norm(x), self.embed_tokens.weight).float()

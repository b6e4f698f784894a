"""Corpus, split, tokenizer and held-out loss."""

from itertools import groupby
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def split(path: Path) -> tuple[str, str]:
    """The text to train on (the first nine tenths of the characters) and the held-out rest."""
    text = path.read_text(encoding="utf-8")
    cut = int(len(text) * 0.9)
    return text[:cut], text[cut:]


def train_tokenizer(text: str, vocab_size: int) -> Tokenizer:
    """Byte-level BPE (the GPT-2 scheme) without special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


class Batches:
    """Endless training batches of `batch` rows of `length + 1` tokens.

    Every epoch cuts the text at another offset and shuffles the pieces.
    """

    def __init__(self, ids: list[int], batch: int, length: int, seed: int):
        self.ids, self.batch, self.length = np.array(ids), batch, length
        self.random = np.random.default_rng(seed)
        self.epochs = 0
        self._rows, self._next = np.empty((0, length + 1), dtype=np.int64), 0

    def _epoch(self) -> None:
        start = int(self.random.integers(self.length))
        count = (len(self.ids) - start - 1) // self.length
        index = start + np.arange(count)[:, None] * self.length + np.arange(self.length + 1)
        self._rows = self.ids[index][self.random.permutation(count)]
        self._next = 0
        self.epochs += 1

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and, one token on, the targets."""
        if self._next + self.batch > len(self._rows):
            self._epoch()
        rows = torch.from_numpy(self._rows[self._next : self._next + self.batch])
        self._next += self.batch
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


@torch.no_grad()
def held_out_loss(model, ids: torch.Tensor, characters: int, window: int, stride: int) -> float:
    """Nats per character: the loss of every token but the first, divided by the characters.

    Windows of `window` tokens start every `stride` tokens; of each but the first only the last
    `stride` predictions count, so every token is scored once. `stride == window` gives windows
    that do not overlap.
    """
    inputs, targets = ids[:-1], ids[1:]
    # (start, length) of every window; the last one is moved back so that it ends with the text.
    windows = [(s, window) for s in range(0, len(inputs) - window + 1, stride)]
    end = windows[-1][0] + window if windows else 0
    if end < len(inputs):
        start = max(0, end - (window - stride))
        windows.append((start, len(inputs) - start))
    total, scored = 0.0, 0
    for at in range(0, len(windows), 16):
        for length, group in groupby(windows[at : at + 16], key=lambda w: w[1]):
            starts = [s for s, _ in group]
            x = torch.stack([inputs[s : s + length] for s in starts])
            y = torch.stack([targets[s : s + length] for s in starts])
            loss = F.cross_entropy(model(x).mT, y, reduction="none")
            for s, row in zip(starts, loss):
                total += row[scored - s :].sum().item()
                scored = s + length
    assert scored == len(inputs)
    return total / characters

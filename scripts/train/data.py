"""Corpus, split, tokenizer and held-out loss."""

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

    Every epoch cuts the text at another offset, shuffles the pieces and, where `merge_dropout` is
    not zero, segments the text anew with BPE-dropout (Provilkov et al., 2020: each merge is
    skipped with that probability), so that a small corpus does not look the same twice.
    """

    def __init__(self, text: str, tokenizer: Tokenizer, batch: int, length: int, seed: int):
        self.text, self.batch, self.length = text, batch, length
        # A copy: the dropout must never reach the tokenizer that is evaluated and stored.
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.plain = np.array(tokenizer.encode(text).ids)
        self.random = np.random.default_rng(seed)
        self.merge_dropout = 0.0
        self.epochs = 0
        self._rows, self._next = np.empty((0, length + 1), dtype=np.int64), 0

    def _epoch(self) -> None:
        ids = self.plain
        if self.merge_dropout > 0:
            self.tokenizer.model.dropout = self.merge_dropout
            ids = np.array(self.tokenizer.encode(self.text).ids)
        start = int(self.random.integers(self.length))
        count = (len(ids) - start - 1) // self.length
        index = start + np.arange(count)[:, None] * self.length + np.arange(self.length + 1)
        self._rows = ids[index][self.random.permutation(count)]
        self._next = 0
        self.epochs += 1

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
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
    was_training = model.training
    model.eval()
    inputs, targets = ids[:-1], ids[1:]
    total, scored, starts = 0.0, 0, list(range(0, len(inputs), stride))
    full = [s for s in starts if s + window <= len(inputs)]
    rows = [(s, window) for s in full]
    end = full[-1] + window if full else 0
    if end < len(inputs):
        rows.append((max(0, end + stride - window) if full else 0, None))
    group = 32
    for at in range(0, len(rows), group):
        part = rows[at : at + group]
        whole = [s for s, size in part if size]
        for begins in ([whole] if whole else []) + [[s] for s, size in part if not size]:
            size = min(window, len(inputs) - begins[0])
            x = torch.stack([inputs[s : s + size] for s in begins])
            y = torch.stack([targets[s : s + size] for s in begins])
            loss = F.cross_entropy(model(x).transpose(1, 2), y, reduction="none")
            for s, row in zip(begins, loss):
                skip = scored - s
                total += row[skip:].sum().item()
                scored += size - skip
    assert scored == len(inputs), (scored, len(inputs))
    model.train(was_training)
    return total / characters

#!/usr/bin/env python3
"""Trains the bundled ternary model and writes it as a packed BitNet checkpoint.

    python scripts/train/train.py --minutes 60

The learning rate falls linearly to zero over the time given, so a longer run is a longer schedule.
See README.md in this folder.
"""

import argparse
import math
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F
from tokenizers import Tokenizer

import export
from data import Batches, held_out_loss, split, train_tokenizer
from model import Config, Model
from muon import Muon

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "models" / "shakespeare"


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    p.add_argument("--minutes", type=float, default=60, help="length of the schedule")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--data", type=Path, default=MODEL / "tinyshakespeare.txt")
    p.add_argument("--out", type=Path, default=MODEL, help="folder of the checkpoint")
    p.add_argument("--processes", type=int, default=2, help="workers of one thread each")
    p.add_argument("--vocab", type=int, default=1024)
    p.add_argument("--layers", type=int, default=6)
    p.add_argument("--intermediate", type=int, default=512)
    p.add_argument("--model-type", choices=("bitnet", "llama"), default="bitnet", help="architecture")
    p.add_argument("--gate", choices=("relu2", "silu"), default="relu2")
    p.add_argument("--batch", type=int, default=12, help="rows a step")
    p.add_argument("--length", type=int, default=256, help="tokens a row")
    p.add_argument("--dropout", type=float, default=0.1, help="of embeddings and residual branches")
    p.add_argument("--lr", type=float, default=0.02, help="of Muon (the matrices)")
    p.add_argument("--lr-adam", type=float, default=3e-3, help="of AdamW (embeddings, norms)")
    p.add_argument("--weight-decay", type=float, default=0.1)
    p.add_argument("--warmup", type=int, default=100, help="steps")
    p.add_argument("--every", type=int, default=250, help="steps between evaluations")
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    return p.parse_args()


def optimisers(model: Model, a: argparse.Namespace) -> list[torch.optim.Optimizer]:
    matrices = [p for n, p in model.named_parameters() if n.endswith("_proj.weight")]
    norms = [p for p in model.parameters() if p.ndim == 1]
    adam = torch.optim.AdamW(
        [
            {"params": [model.embed_tokens.weight], "weight_decay": a.weight_decay},
            {"params": norms, "weight_decay": 0.0},
        ],
        lr=a.lr_adam,
        betas=(0.9, 0.95),
    )
    both = [Muon(matrices, lr=a.lr, weight_decay=a.weight_decay), adam]
    for optimiser in both:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return both


def sample(model: Model, tokenizer, prompt: str, length: int, seed: int) -> str:
    """`length` tokens after the prompt, at temperature 0.8."""
    generator = torch.Generator().manual_seed(seed)
    ids = tokenizer.encode(prompt).ids
    with torch.no_grad():
        for _ in range(length):
            logits = model(torch.tensor([ids[-model.c.max_position_embeddings :]]))[0, -1]
            ids.append(torch.multinomial((logits / 0.8).softmax(-1), 1, generator=generator).item())
    return tokenizer.decode(ids)


class Workers:
    """Adds up the gradients of several one-thread processes, through shared memory.

    Processes that meet once a step lose far less on a busy machine than threads that meet at
    every operator. One barrier a step is enough because the slots alternate: nobody can write a
    slot again before everybody has read it and come to the next barrier.
    """

    def __init__(self, count: int, size: int):
        self.count = count
        self.slots = torch.zeros(2, count, size).share_memory_()
        #: Share of the time that has passed and seconds so far, as worker 0 sees them.
        self.clock = torch.zeros(2, 2, dtype=torch.float64).share_memory_()
        self.barrier = multiprocessing.get_context("spawn").Barrier(count)

    def mean(self, rank: int, step: int, gradients: list[torch.Tensor], clock) -> tuple:
        slot = step % 2
        torch.cat([g.flatten() for g in gradients], out=self.slots[slot, rank])
        if rank == 0:
            self.clock[slot] = torch.tensor(clock, dtype=torch.float64)
        self.barrier.wait(timeout=1800)
        total = self.slots[slot].mean(0)
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients])):
            gradient.copy_(part.view_as(gradient))
        return tuple(self.clock[slot].tolist())


def work(rank: int, a: argparse.Namespace, tokenizer_json: str, workers: Workers) -> None:
    """One worker: all of them hold the same model and take the same steps."""
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)

    def log(*words) -> None:
        if rank == 0:
            print(*words, flush=True)

    train_text, held_text = split(a.data)
    tokenizer = Tokenizer.from_str(tokenizer_json)
    held_ids = torch.tensor(tokenizer.encode(held_text).ids)
    batches = Batches(tokenizer.encode(train_text).ids, a.batch, a.length, a.seed)
    model = Model(config_of(tokenizer, a))
    log(
        f"parameters {sum(p.numel() for p in model.parameters()):,}, training tokens "
        f"{len(batches.ids):,}, held-out tokens {len(held_ids):,}, characters a token "
        f"{len(held_text) / len(held_ids):.3f}"
    )
    rows = a.batch // workers.count
    mine = slice(rank * rows, (rank + 1) * rows)
    random = np.random.Generator(np.random.SFC64([a.seed, rank]))

    def dropout_masks() -> torch.Tensor:
        """Zero with probability `dropout` (in steps of 1/256), else the inverse of the rest."""
        shape, drop = model.mask_shape(rows, a.length), round(256 * a.dropout)
        noise = torch.frombuffer(bytearray(random.bytes(math.prod(shape))), dtype=torch.uint8)
        return (noise.view(shape) >= drop).to(torch.bfloat16) * (256 / (256 - drop))

    def loss_of(x: torch.Tensor, y: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x, masks).flatten(0, 1), y.flatten())

    forward = torch.compile(loss_of) if a.compile else loss_of
    opts = optimisers(model, a)
    parameters = list(model.parameters())

    step, best, began, done, mean_loss = 0, math.inf, None, 0.0, None
    while done < 1 and multiprocessing.parent_process().is_alive():
        for optimiser in opts:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * min(1.0, (step + 1) / a.warmup) * (1 - done)
        x, y = batches.next()
        with torch.autocast("cpu", torch.bfloat16):
            loss = forward(x[mine], y[mine], dropout_masks())
        loss.backward()
        # The clock starts after the first step, which is the one that compiles.
        seconds = 0.0 if began is None else time.monotonic() - began
        clock = (seconds / (60 * a.minutes), seconds)
        done, seconds = workers.mean(rank, step, [p.grad for p in parameters], clock)
        began = began or time.monotonic()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser in opts:
            optimiser.step()
            optimiser.zero_grad(set_to_none=False)
        step += 1
        value = loss.item()
        mean_loss = value if mean_loss is None else 0.98 * mean_loss + 0.02 * value
        if step % 50 == 0 or step < 4:
            log(f"step {step} epoch {batches.epochs} {seconds:.0f} s loss {mean_loss:.4f}")
        if rank == 0 and (step % a.every == 0 or done >= 1):
            with torch.autocast("cpu", torch.bfloat16):
                value = held_out_loss(model, held_ids, len(held_text), a.length, a.length)
            kept = value < best
            best = min(best, value)
            if kept:
                export.save(a.out, model, tokenizer)
            log(f"step {step} held-out {value:.4f}{' (exported)' if kept else ''}")
    log(f"steps {step}, tokens {step * a.batch * a.length:,}, epochs {batches.epochs}")


def config_of(tokenizer: Tokenizer, a: argparse.Namespace) -> Config:
    return Config(
        vocab_size=tokenizer.get_vocab_size(),
        num_hidden_layers=a.layers,
        intermediate_size=a.intermediate,
        model_type=a.model_type,
        hidden_act=a.gate,
    )


def main() -> None:
    a = arguments()
    if a.batch % a.processes:
        raise SystemExit("--batch must be a multiple of --processes")
    print("arguments:", {k: str(v) for k, v in vars(a).items()}, flush=True)
    train_text, held_text = split(a.data)
    tokenizer = train_tokenizer(train_text, a.vocab)
    size = sum(p.numel() for p in Model(config_of(tokenizer, a)).parameters())
    workers = Workers(a.processes, size)
    multiprocessing.spawn(work, (a, tokenizer.to_str(), workers), nprocs=a.processes)

    target = a.out / "tinyshakespeare.txt"
    if not (target.exists() and target.samefile(a.data)):
        shutil.copyfile(a.data, target)
    stored = export.load(a.out)
    held_ids = torch.tensor(tokenizer.encode(held_text).ids)
    for window, stride in ((256, 256), (256, 128), (512, 256)):
        value = held_out_loss(stored, held_ids, len(held_text), window, stride)
        print(f"exported model, window {window}, stride {stride}: {value:.4f} nats a character")
    print(sample(stored, tokenizer, "ROMEO:\n", 200, a.seed))


if __name__ == "__main__":
    main()

"""The training loop, and progress on anything that takes long."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence

import torch
from tqdm import tqdm

PROGRESS_DELAY = 3.0  # seconds before a bar appears: short work stays silent


def progress(iterable: Iterable, what: str) -> Iterable:
    """Iterate with a progress bar that appears after 3 s and leaves nothing behind.

    Silent where ``LVUTILS_QUIET`` is 1: stored outputs and the test run hold no bars.
    """
    quiet = os.environ.get("LVUTILS_QUIET") == "1"
    return tqdm(iterable, desc=what, leave=False, delay=PROGRESS_DELAY, disable=quiet)


def fit(
    model: torch.nn.Module,
    loss: Callable[..., torch.Tensor],
    tensors: Sequence[torch.Tensor],
    *,
    n_epochs: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
    clip_norm: float | None = None,
    what: str = "training",
) -> list[float]:
    """Minimise a loss with Adam over shuffled minibatches; the mean loss of each epoch.

    loss: ``loss(model, *batch)`` -> scalar, the mean over the batch. tensors: [n, ...] each, cut along the first axis.
    generator: shuffles (and is free for the loss to draw from). clip_norm: bound on the gradient's norm.
    Raises FloatingPointError as soon as a loss is not finite.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    n = len(tensors[0])
    history = []
    for epoch in progress(range(n_epochs), what):
        total = 0.0
        for rows in torch.randperm(n, generator=generator).split(batch_size):
            value = loss(model, *(t[rows] for t in tensors))
            if not math.isfinite(value.item()):
                raise FloatingPointError(f"{what}: the loss is {value.item()} in epoch {epoch + 1}")
            optimiser.zero_grad()
            value.backward()
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            optimiser.step()
            total += value.item() * len(rows)
        history.append(total / n)
    return history

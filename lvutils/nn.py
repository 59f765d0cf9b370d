"""Networks that more than one chapter uses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import nn


def mlp(widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """A multilayer perceptron: ``mlp([49, 32, 16])`` has one hidden layer of 32. No activation after the last layer."""
    if len(widths) < 2:
        raise ValueError(f"widths must name at least input and output, got {list(widths)}")
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])

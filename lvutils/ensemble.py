"""Several networks of one architecture side by side: small networks share one pass through the machine's arithmetic.

Parameters have a first axis over the networks; a rate and a bound on the gradient's norm for each come with
:class:`Adam`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


class Stacked(nn.Module):
    """An affine map for each of several models that train side by side, with the initial range of nn.Linear.

    generator: of the first weights. ``forward`` maps [models, batch, n_in] to [models, batch, n_out].
    """

    def __init__(self, n_models: int, n_in: int, n_out: int, generator: torch.Generator):
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter((2 * torch.rand(n_models, rows, n_out, generator=generator) - 1) * n_in**-0.5)
            for rows in (n_in, 1)
        )

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """h: [models, batch, n_in]. Returns [models, batch, n_out]."""
        return torch.baddbmm(self.bias, h, self.weight)


class Adam(torch.optim.Adam):
    """Adam (Kingma and Ba, 2015) on stacked parameters, with a rate for each network.

    parameters: [models, ...] each. rates: [models], or one for all. clip_norm: bound on the norm of each network's
    gradient, [models] or one for all, None for no bound.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rates, clip_norm=None):
        parameters = list(parameters)
        super().__init__(parameters, lr=1.0)
        n = len(parameters[0])
        self.rates = torch.as_tensor(rates, dtype=torch.get_default_dtype()).expand(n)
        self.clip_norm = None if clip_norm is None else torch.as_tensor(clip_norm, dtype=self.rates.dtype).expand(n)
        self._stacked = parameters

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """One step; a step of rate one is taken and shortened to each network's rate."""
        if self.clip_norm is not None:
            norm = torch.stack([p.grad.flatten(1).norm(dim=1) for p in self._stacked]).norm(dim=0)
            factor = (self.clip_norm / norm.clamp_min(1e-12)).clamp_max(1)
            for p in self._stacked:
                p.grad *= factor.view(-1, *[1] * (p.ndim - 1))
        before = [p.clone() for p in self._stacked]
        super().step(closure)
        for p, b in zip(self._stacked, before, strict=True):
            p.copy_(b + self.rates.view(-1, *[1] * (p.ndim - 1)) * (p - b))

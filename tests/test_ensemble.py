"""Several networks side by side give what each gives alone, in training too."""

import pytest
import torch
from torch import nn

from lvutils.ensemble import Adam, Ensemble


def networks(n=3):
    made = []
    for k in range(n):
        torch.manual_seed(k)
        made.append(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)))
    return made


def test_an_ensemble_gives_what_its_networks_give():
    alone = networks()
    together = Ensemble(alone)
    x = torch.randn(3, 5, 4)
    for k, network in enumerate(alone):
        assert torch.allclose(together(x)[k], network(x[k]), atol=1e-6)
        assert torch.allclose(together(x[0], shared=True)[k], network(x[0]), atol=1e-6)
    assert sum(p.numel() for p in together.parameters()) == sum(p.numel() for n in alone for p in n.parameters())


@pytest.mark.parametrize("clip", [None, 0.05])
def test_side_by_side_training_is_training_alone(clip):
    rates = [0.01, 0.003, 0.1]
    alone = networks()
    together = Ensemble(alone)
    optimiser = Adam(together.parameters(), rates, clip)
    each = [torch.optim.Adam(n.parameters(), rate) for n, rate in zip(alone, rates, strict=True)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        x, y = torch.randn(3, 16, 4, generator=generator), torch.randn(3, 16, 2, generator=generator)
        optimiser.zero_grad()
        ((together(x) - y) ** 2).mean((1, 2)).sum().backward()
        optimiser.step()
        for k, (network, own) in enumerate(zip(alone, each, strict=True)):
            own.zero_grad()
            ((network(x[k]) - y[k]) ** 2).mean().backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            own.step()
    x = torch.randn(8, 4, generator=generator)
    for k, network in enumerate(alone):
        assert torch.allclose(together(x, shared=True)[k], network(x), atol=1e-4)

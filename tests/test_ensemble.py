"""Several networks side by side give what each gives alone, in training too."""

import pytest
import torch
from torch import nn

from lvutils.ensemble import Adam, Stacked


def networks(n=3):
    """Networks side by side, and each of them alone with the same weights."""
    generator = torch.Generator().manual_seed(1)
    together = nn.Sequential(Stacked(n, 4, 8, generator), nn.Tanh(), Stacked(n, 8, 2, generator))
    alone = []
    for k in range(n):
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        for layer, of_all in ((network[0], together[0]), (network[2], together[2])):
            layer.weight.data = of_all.weight[k].detach().T.clone()
            layer.bias.data = of_all.bias[k, 0].detach().clone()
        alone.append(network)
    return together, alone


def test_networks_side_by_side_give_what_each_gives():
    together, alone = networks()
    x = torch.randn(3, 5, 4)
    for k, network in enumerate(alone):
        assert torch.allclose(together(x)[k], network(x[k]), atol=1e-6)
    assert sum(p.numel() for p in together.parameters()) == sum(p.numel() for n in alone for p in n.parameters())


def test_first_weights_have_the_range_of_a_linear_layer_s():
    layer = Stacked(2, 25, 400, torch.Generator().manual_seed(0))
    for p in layer.parameters():
        assert 0.19 < p.abs().max() <= 0.2
        assert abs(p.mean()) < 0.02


@pytest.mark.parametrize("clip", [None, 0.05])
def test_side_by_side_training_is_training_alone(clip):
    rates = [0.01, 0.003, 0.1]
    together, alone = networks()
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
        assert torch.allclose(together(x.expand(3, -1, -1))[k], network(x), atol=1e-4)

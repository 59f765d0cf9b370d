"""Networks that more than one chapter uses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import nn


def mlp(widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """A multilayer perceptron: ``mlp([49, 32, 16])`` has one hidden layer of 32. No activation after the last layer."""
    if len(widths) < 2:
        raise ValueError(f"widths must name at least input and output, got {list(widths)}")
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])


def outlines(images: torch.Tensor) -> torch.Tensor:
    """Each drawing as its outline, dark on light: 1 - (max over 3 x 3 neighbours - x).

    images: [n, 1, height, width] in [0, 1], light strokes on dark. Returns the same shape and range.
    """
    return 1 - (nn.functional.max_pool2d(images, 3, stride=1, padding=1) - images)


def time_embedding(t: torch.Tensor, width: int) -> torch.Tensor:
    """Sines and cosines of a time (Vaswani et al., 2017). t: [batch]. Returns [batch, width]."""
    frequency = torch.exp(-math.log(10_000.0) * torch.arange(width // 2, device=t.device) / (width // 2))
    angle = t[:, None].float() * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class UNet(nn.Module):
    """A small conditional U-Net for diffusion on images (Ronneberger et al., 2015; Ho et al., 2020).

    channels: of the image. widths: feature maps at each resolution, halved from one to the next.
    n_blocks: residual blocks a resolution. n_labels: number of labels beside the one that stands for "no label".
    """

    def __init__(self, channels: int = 1, widths: Sequence[int] = (32, 64), n_blocks: int = 1, n_labels: int = 10):
        super().__init__()
        self.no_label = n_labels
        width = 2 * widths[-1]
        self.embed_time = nn.Sequential(nn.Linear(widths[-1], width), nn.SiLU(), nn.Linear(width, width))
        self.embed_label = nn.Embedding(n_labels + 1, width)
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.shrink, self.up, self.grow = (nn.ModuleList() for _ in range(4))
        for level, w in enumerate(widths):
            before = widths[max(level - 1, 0)]
            self.down.append(nn.ModuleList(_Residual(before if k == 0 else w, w, width) for k in range(n_blocks)))
            self.shrink.append(nn.Conv2d(w, w, 3, stride=2, padding=1) if level < len(widths) - 1 else nn.Identity())
        for level in reversed(range(len(widths) - 1)):
            w = widths[level]
            self.grow.append(nn.ConvTranspose2d(widths[level + 1], w, 2, stride=2))
            self.up.append(nn.ModuleList(_Residual(2 * w if k == 0 else w, w, width) for k in range(n_blocks)))
        self.last = nn.Sequential(_norm(widths[0]), nn.SiLU(), nn.Conv2d(widths[0], channels, 3, padding=1))
        nn.init.zeros_(self.last[-1].weight)

    def forward(self, x: torch.Tensor, t: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """x: [batch, channels, height, width], sides divisible by 2 a resolution; t, label: [batch]."""
        embedding = self.embed_time(time_embedding(t, self.embed_time[0].in_features)) + self.embed_label(label)
        h, skips = self.first(x), []
        for level, blocks in enumerate(self.down):
            for block in blocks:
                h = block(h, embedding)
            if level < len(self.down) - 1:
                skips.append(h)
                h = self.shrink[level](h)
        for grow, blocks in zip(self.grow, self.up, strict=True):
            h = torch.cat([grow(h), skips.pop()], dim=1)
            for block in blocks:
                h = block(h, embedding)
        return self.last(h)


class ConvClassifier(nn.Module):
    """A small convolutional classifier; its penultimate features serve as a space for distances between image sets.

    Two blocks of two 3 x 3 convolutions, each halving the image, then one hidden layer of ``n_features``.
    """

    def __init__(self, side: int, channels: int = 1, width: int = 32, n_features: int = 64, n_labels: int = 10):
        super().__init__()
        blocks = []
        for n_in, n_out in ((channels, width), (width, 2 * width)):
            for a, b in ((n_in, n_out), (n_out, n_out)):
                blocks += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
            blocks.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(2 * width * (side // 4) ** 2, n_features), nn.ReLU())
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(n_features, n_labels)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Penultimate features, [batch, n_features]. x: [batch, channels, side, side]."""
        return self.body(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, [batch, n_labels]."""
        return self.head(self.drop(self.features(x)))


class _Residual(nn.Module):
    """Two convolutions around a shift and scale from the embedding, added to their input."""

    def __init__(self, n_in: int, n_out: int, n_embedding: int):
        super().__init__()
        self.norm_1, self.conv_1 = _norm(n_in), nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm_2, self.conv_2 = _norm(n_out), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.modulate = nn.Linear(n_embedding, 2 * n_out)
        self.skip = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulate(nn.functional.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.conv_1(nn.functional.silu(self.norm_1(x)))
        h = self.conv_2(nn.functional.silu(self.norm_2(h) * (1 + scale) + shift))
        return self.skip(x) + h


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, width)

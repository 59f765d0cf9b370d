"""Named streams of random numbers: the same name gives the same stream, whatever else was drawn before."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class Streams:
    """Streams that all come from one root seed; different keys are independent.

    seed: the root. Keys are words and integers: ``streams.rng("digits", 3)``.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def rng(self, *key: str | int) -> np.random.Generator:
        """A NumPy generator of its own for each key."""
        return np.random.default_rng(self._sequence(key))

    def torch_rng(self, *key: str | int) -> torch.Generator:
        """A torch generator of its own for each key."""
        import torch

        return torch.Generator().manual_seed(self._torch_seed(key))

    def seed_torch(self, *key: str | int) -> None:
        """Seed torch's global generator, from which modules draw their first weights."""
        import torch

        torch.manual_seed(self._torch_seed(key))

    def _sequence(self, key) -> np.random.SeedSequence:
        words = [zlib.crc32(k.encode()) if isinstance(k, str) else int(k) for k in key]
        return np.random.SeedSequence(self.seed, spawn_key=words)

    def _torch_seed(self, key) -> int:
        return int(self._sequence(key).generate_state(1, np.uint64)[0] >> 1)

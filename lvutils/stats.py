"""Intervals: what a claim is measured with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """An estimate with its interval. ``n`` is the number of independent runs, pairs or cases behind it."""

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def exact(cls, value: float, n: int = 1) -> Interval:
        """A figure without sampling error: a closed form, a maximum over all cases, a count."""
        value = float(value)
        return cls(value, value, value, int(n))

    def __format__(self, spec: str) -> str:
        spec = spec or ".2g"
        if self.low == self.high:
            return format(self.mean, spec)
        return f"{self.mean:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def mean_interval(values, level: float = 0.95) -> Interval:
    """Mean of independent values with Student's t interval. values: [n], n >= 2."""
    values = _sample(values)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return Interval(float(values.mean()), float(values.mean() - half), float(values.mean() + half), len(values))


def paired_interval(a, b, level: float = 0.95) -> Interval:
    """Mean of ``a - b`` over pairs (same seed, same case) with Student's t interval. a, b: [n], n >= 2."""
    a, b = _sample(a), _sample(b)
    if a.shape != b.shape:
        raise ValueError(f"pairs need equal lengths, got {len(a)} and {len(b)}")
    return mean_interval(a - b, level)


def bootstrap_interval(
    values, rng: np.random.Generator, statistic: Callable = np.mean, level: float = 0.95, n_resamples: int = 2000
) -> Interval:
    """A statistic of independent cases with its percentile bootstrap interval.

    values: [n, ...], cases along the first axis; statistic: maps such an array to a number.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 cases, got {len(values)}")
    if statistic in (np.mean, np.median) and values.ndim == 1:  # the same draws and statistics, many at a time
        rows = max(1, 2**14 // len(values))
        sizes = [min(rows, n_resamples - k) for k in range(0, n_resamples, rows)]
        draws = np.concatenate(
            [statistic(values[rng.integers(len(values), size=(m, len(values)))], axis=1) for m in sizes]
        )
    else:
        draws = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(n_resamples)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(values)), float(low), float(high), len(values))


def proportion_interval(k: int, n: int, level: float = 0.95) -> Interval:
    """k successes in n trials with the exact (Clopper-Pearson) interval."""
    interval = stats.binomtest(int(k), int(n)).proportion_ci(level, method="exact")
    return Interval(k / n, float(interval.low), float(interval.high), int(n))


def _sample(values) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an interval needs a flat list of at least 2 values, got shape {values.shape}")
    return values

"""Intervals: what a claim is measured with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEAST_CASES = 20  # a percentile bootstrap of fewer is too short: it covers 84 % at five cases, 91 % at twelve


class Interval(NamedTuple):
    """An estimate with its interval. ``n`` is the number of independent runs, pairs or cases behind it.

    exact_why: why there is no sampling error, where there is none.
    """

    mean: float
    low: float
    high: float
    n: int
    exact_why: str = ""

    @classmethod
    def exact(cls, value: float, n: int = 1, why: str = "") -> Interval:
        """A figure without sampling error: a closed form, or a count over a whole population; ``why`` says which."""
        value = float(value)
        return cls(value, value, value, int(n), why)

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


def crossed_interval(values, level: float = 0.95) -> Interval:
    r"""Mean over models and cases where all models meet the same cases, with a t interval that covers both.

    values: [models, cases], at least two of each. Models and cases are both drawn anew: the variance of the mean is
    $(MS_m + MS_c - MS_e) / (mn)$ of the two-way table, its degrees of freedom are Satterthwaite's (1946). A variance
    that sampling error makes smaller than that of one factor alone is set to the larger of these. n: models.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"values must be [models, cases], at least two of each; got shape {values.shape}")
    n_models, n_cases = values.shape
    grand, by_model, by_case = values.mean(), values.mean(1), values.mean(0)
    rest = values - by_model[:, None] - by_case + grand
    squares = np.array([
        n_cases * by_model.var(ddof=1),
        n_models * by_case.var(ddof=1),
        (rest**2).sum() / ((n_models - 1) * (n_cases - 1)),
    ])  # fmt: skip
    freedom = np.array([n_models - 1, n_cases - 1, (n_models - 1) * (n_cases - 1)])
    total = max(squares[0] + squares[1] - squares[2], squares[0], squares[1])
    df = max(total**2 / (squares**2 / freedom).sum(), 1.0) if total > 0 else 1.0
    half = stats.t.ppf((1 + level) / 2, df) * math.sqrt(total / values.size)
    return Interval(float(grand), float(grand - half), float(grand + half), n_models)


def bootstrap_interval(
    values, rng: np.random.Generator, statistic: Callable = np.mean, level: float = 0.95, n_resamples: int = 2000
) -> Interval:
    """A statistic of independent cases with its percentile bootstrap interval.

    values: [n, ...], cases along the first axis, at least 20; statistic: maps such an array to a number.
    Raises ValueError for fewer cases, where the interval would be too short: use a t interval or
    :func:`nested_interval`.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < LEAST_CASES:
        raise ValueError(
            f"a percentile bootstrap needs at least {LEAST_CASES} cases, got {len(values)}; "
            "use mean_interval, crossed_interval or nested_interval"
        )
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


def nested_interval(
    groups: Sequence,
    rng: np.random.Generator,
    statistic: Callable = np.mean,
    level: float = 0.95,
    n_resamples: int = 2000,
) -> Interval:
    r"""A statistic of cases within few groups (models, worlds, draws), with a bootstrap interval that covers both.

    groups: one array [cases, ...] each, at least two; ``values[:, None]`` takes each of few values as a group of its
    own. statistic: maps the cases of all groups, one after the other, to a number. Groups are drawn with replacement,
    then cases within each. Percentiles are taken further out, at $\Phi(-\sqrt{n/(n-1)}\,t_{\alpha/2,n-1})$ for n groups
    (the expanded percentile interval of Hesterberg, 2015): without that the interval is too short for few groups.
    n: groups. Raises ValueError for a single group or an empty one.
    """
    groups = [np.asarray(group, dtype=float) for group in groups]
    n = len(groups)
    if n < 2 or min(map(len, groups)) < 1:
        raise ValueError(f"at least two groups, each with a case, are needed; got sizes {[len(g) for g in groups]}")
    draws, cases = [], np.concatenate(groups)
    for _ in range(n_resamples):
        if len(cases) == n:  # a case a group
            draws.append(statistic(cases[rng.integers(n, size=n)]))
            continue
        drawn = [groups[k] for k in rng.integers(n, size=n)]
        drawn = [group if len(group) == 1 else group[rng.integers(len(group), size=len(group))] for group in drawn]
        draws.append(statistic(np.concatenate(drawn)))
    tail = stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf((1 + level) / 2, n - 1))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(statistic(cases)), float(low), float(high), n)


def proportion_interval(k: int, n: int, level: float = 0.95) -> Interval:
    """k successes in n trials with the exact (Clopper-Pearson) interval."""
    interval = stats.binomtest(int(k), int(n)).proportion_ci(level, method="exact")
    return Interval(k / n, float(interval.low), float(interval.high), int(n))


def _sample(values) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an interval needs a flat list of at least 2 values, got shape {values.shape}")
    return values

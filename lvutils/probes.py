"""Probes: what a linear rule can read from a representation, from all labels or from a few.

The penalty is always chosen inside the rows that train the probe, so that held-out rows are seen once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

PENALTIES = (3e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)


def linear_probe(x: np.ndarray, y: np.ndarray) -> Pipeline:
    """Ridge classifier on standardised features, fitted to all rows of x [n, p] and their classes y [n].

    The penalty, 1e-8 to 10 times the number of rows, is the one with the best leave-one-out accuracy; the small ones
    matter where features are nearly collinear. Returns scikit-learn's pipeline: ``score(x, y)`` is the accuracy.
    """
    penalties = len(x) * np.logspace(-8, 1, 10)  # the squared length of a standardised column is the number of rows
    return make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=penalties, scoring="accuracy")).fit(x, y)


def few_shot(y: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of equally many examples a class, drawn without replacement: [classes, per_class].

    The first k columns are a draw of k a class. y: [n], classes 0, 1, ... Raises ValueError where a class has too few.
    """
    rows = [rng.permutation(np.flatnonzero(y == label))[:per_class] for label in range(int(np.max(y)) + 1)]
    for label, found in enumerate(rows):
        if len(found) < per_class:
            raise ValueError(f"class {label} has {len(found)} rows, {per_class} are needed")
    return np.stack(rows)


class FewShotProbe(NamedTuple):
    """Linear rules fitted side by side. weights: [k, p + 1, classes], intercept last."""

    weights: np.ndarray
    penalty: np.ndarray

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Of x [k, m, p], or [m, p] for all alike: [k, m, classes]; the largest is the class."""
        return x @ self.weights[:, :-1] + self.weights[:, -1:]

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Share of rows whose class is the largest score, [k]. y: [k, m] or [m]."""
        return (self.scores(x).argmax(2) == y).mean(1)


def few_shot_probe(x, y, folds=None, penalties=PENALTIES, n_steps: int = 100) -> FewShotProbe:
    """Penalised multinomial logistic regression on a few rows, many draws of them side by side.

    x: [k, n, p], one set of rows a draw; y: [k, n], classes 0, 1, ...; folds: [k, n] or [n], the fold in which a row is
    held out while a penalty is chosen (not needed for a single one). penalties: to choose from, times the largest
    eigenvalue of the second moments of a draw's features, so that the scale of a representation does not matter; the
    intercept is free. The penalty that is right most often over the folds is taken, of equals the largest. n_steps: of
    accelerated gradient descent (Nesterov, 1983). Raises ValueError where shapes do not fit.
    """
    x, y, penalties = np.asarray(x, float), np.asarray(y), np.sort(np.asarray(penalties, float))
    if x.ndim != 3 or y.shape != x.shape[:2] or (folds is None and len(penalties) > 1):
        given = "no folds" if folds is None else f"folds {np.shape(folds)}"
        raise ValueError(f"x [k, n, p], y [k, n] and folds are needed; got {x.shape}, {y.shape} and {given}")
    _, values, basis = np.linalg.svd(x, full_matrices=False)  # weights outside the rows' span stay zero
    basis = basis.swapaxes(1, 2) / (values[:, :1, None] / np.sqrt(x.shape[1]))
    z, hot = x @ basis, np.eye(int(y.max()) + 1)[y]
    best = np.zeros(len(x), int)
    if len(penalties) > 1:
        folds, copies = np.broadcast_to(folds, y.shape), len(penalties)
        wide, truth, right = np.tile(z, (copies, 1, 1)), np.tile(hot, (copies, 1, 1)), 0
        for fold in np.unique(folds):
            held = np.tile(folds == fold, (copies, 1))
            rules = _softmax_rules(wide, truth * ~held[:, :, None], np.repeat(penalties, len(x)), n_steps)
            hits = (wide @ rules[:, :-1] + rules[:, -1:]).argmax(2) == truth.argmax(2)
            right = right + (hits & held).sum(1).reshape(copies, -1)
        best = copies - 1 - right[::-1].argmax(0)
    rules = _softmax_rules(z, hot, penalties[best], n_steps)
    return FewShotProbe(np.concatenate([basis @ rules[:, :-1], rules[:, -1:]], 1), penalties[best])


def _softmax_rules(x, hot, penalty, n_steps):
    """[k, p + 1, c] for x [k, n, p] and hot [k, n, c], one-hot, zero in rows that are left out; a penalty for each."""
    x, used = np.concatenate([x, np.ones((*x.shape[:2], 1))], 2), hot.sum(2, keepdims=True)
    count = used.sum(1, keepdims=True)
    curvature = 0.5 * np.linalg.norm(x * used, 2, axis=(1, 2))[:, None, None] ** 2 / count
    ridge = penalty[:, None, None] * (np.arange(x.shape[2]) < x.shape[2] - 1)[:, None]
    step = 1 / (curvature + penalty[:, None, None])
    weights = ahead = np.zeros((len(x), x.shape[2], hot.shape[2]))
    for t in range(n_steps):
        p = np.exp(x @ ahead)  # the penalty keeps scores small
        p *= used / p.sum(2, keepdims=True)
        new = ahead - step * (x.swapaxes(1, 2) @ (p - hot) / count + ridge * ahead)
        weights, ahead = new, new + t / (t + 3) * (new - weights)
    return weights

"""Measures of how good samples and representations are."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, entr
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of features (Heusel et al., 2017, section 3).

    a: [n, d], b: [m, d], n and m at least 2. Raises ValueError where d differs or a set is too small.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"two sets of features [n, d], n at least 2, are needed; got {a.shape} and {b.shape}")
    cov_a, cov_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    # the trace of the root of cov_a cov_b, from a symmetric matrix with the same eigenvalues
    overlap = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * overlap)


class InfoMEC(NamedTuple):
    """Modularity, explicitness and compactness (Hsu et al., 2023, section 4); 1 is best, 0 is nothing."""

    modularity: float
    explicitness: float
    compactness: float


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness (Eastwood and Williams, 2018), each at most 1."""

    disentanglement: float
    completeness: float
    informativeness: float


def mutual_information(sources, codes, *, discrete: bool, n_neighbors: int = 10) -> np.ndarray:
    r"""Mutual information $I(s_i;z_j)$ of every source with every latent variable, in nats, [n_sources, n_latents].

    sources: [n, n_sources], integers. codes: [n, n_latents]; integers where ``discrete``, which are counted, else real
    numbers, for which the nearest-neighbour estimator of Ross (2014) is used: what scikit-learn's
    ``mutual_info_classif`` computes, from sorted values in place of trees. Estimates below zero are set to zero.
    Raises ValueError where shapes or types do not fit.
    """
    sources, codes = _paired(sources, codes, discrete)
    table = np.empty((sources.shape[1], codes.shape[1]))
    for i, source in enumerate(sources.T):
        for j, code in enumerate(codes.T):
            table[i, j] = _counted(source, code) if discrete else _ross(source, code, n_neighbors)
    return table.clip(0)


def infomec(
    sources, codes, *, discrete: bool, n_neighbors: int = 10, explicit: bool = True, one_hot: int = 0
) -> InfoMEC:
    """InfoM, InfoE and InfoC of codes given the true sources (Hsu et al., 2023, section 4).

    sources: [n, n_sources], integers; codes: [n, n_latents], integers where ``discrete``, real numbers otherwise.
    In modularity and compactness latents that are switched off do not count: constant ones, or continuous ones whose
    range is below a twentieth of the largest. A latent that carries information on no source counts as spread evenly;
    one that is noise still moves and still counts, with a modularity made of estimation error. With a single source
    modularity is 1, with a single active latent compactness is; with none both are 0. Explicitness is that of all
    latents, as in the authors' code (:func:`explicitness`, which explains one_hot); it takes most of the time, and
    explicit=False leaves it out (nan). Raises ValueError where shapes or types do not fit.
    """
    sources, codes = _paired(sources, codes, discrete)
    e = explicitness(sources, codes, discrete=discrete, one_hot=one_hot) if explicit else float("nan")
    codes = codes[:, active_latents(codes, discrete=discrete)]
    if codes.shape[1] == 0:
        return InfoMEC(0.0, e, 0.0)
    shares = mutual_information(sources, codes, discrete=discrete, n_neighbors=n_neighbors)
    shares = shares / _entropies(sources)[:, None]
    return InfoMEC(_concentration(shares), e, _concentration(shares.T))


def explicitness(sources, codes, *, discrete: bool, one_hot: int = 0) -> float:
    r"""InfoE: how well unpenalised logistic regression reads the sources off the codes (Hsu et al., 2023, section 4).

    $1-\hat H(s_i|z)/\log K_i$, averaged over sources of $K_i$ values; $\hat H$ is the regression's log loss on the
    cases that it was fitted to, classes weighted evenly in the fit and not in the loss, as in the authors' code.
    Discrete codes are one-hot coded, continuous ones standardised, which lets a linear read-out of the latter see
    monotone dependence only.
    one_hot: cut each continuous code into so many bins of equal counts and code these instead; then both kinds of code
    meet the same read-out. Arguments and errors as for :func:`infomec`.
    """
    sources, codes = _paired(sources, codes, discrete)
    if one_hot and not discrete:
        cuts = np.linspace(0, 1, one_hot + 1)[1:-1]
        codes = np.column_stack([np.searchsorted(np.quantile(c, cuts), c, side="right") for c in codes.T])
    # with an intercept the first value of a latent is redundant, and without it the fit takes half the steps
    scale = OneHotEncoder(sparse_output=False, drop="first") if discrete or one_hot else StandardScaler()
    inputs = scale.fit_transform(codes)
    if inputs.shape[1] == 0:
        return 0.0  # every latent is constant
    gains = []
    for source in sources.T:
        with warnings.catch_warnings():  # a source that can be told apart fully has no finite optimum, only a limit
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(C=np.inf, max_iter=500, class_weight="balanced").fit(inputs, source)
        gains.append(1 - log_loss(source, model.predict_proba(inputs)) / np.log(len(model.classes_)))
    return float(np.mean(gains))


def active_latents(codes, *, discrete: bool) -> np.ndarray:
    """Which latents are switched on, [n_latents], bool. codes: [n, n_latents] (Hsu et al., 2023, section 4)."""
    reach = np.ptp(np.asarray(codes), axis=0)
    return reach > 0 if discrete else (reach > 0) & (reach >= reach.max(initial=0) / 20)


def mig(sources, codes, *, discrete: bool, n_neighbors: int = 10) -> float:
    r"""Mutual information gap (Chen et al., 2018, equation 6): the lead of the best latent, over $H(s_i)$, averaged.

    Arguments and errors as for :func:`mutual_information`.
    """
    table = mutual_information(sources, codes, discrete=discrete, n_neighbors=n_neighbors)
    best = np.sort(np.pad(table, ((0, 0), (1, 0))), axis=1)  # the zero is the second best of a single latent
    return float(((best[:, -1] - best[:, -2]) / _entropies(np.asarray(sources))).mean())


def modularity(sources, codes, *, discrete: bool, n_neighbors: int = 10) -> float:
    """Modularity of Ridgeway and Mozer (2018), averaged over the latents that carry any information; 0 if none does.

    Arguments and errors as for :func:`mutual_information`.
    """
    table = mutual_information(sources, codes, discrete=discrete, n_neighbors=n_neighbors)
    table = table[:, table.max(0) > 0]
    if table.shape[1] == 0 or len(table) == 1:
        return float(table.shape[1] > 0)
    best = table.max(0)
    return float(1 - (((table**2).sum(0) - best**2) / (best**2 * (len(table) - 1))).mean())


def dci(sources, codes, *, seed: int = 0, n_trees: int = 30) -> DCI:
    """DCI (Eastwood and Williams, 2018) from the importances of random forests, one for each source.

    sources: [n, n_sources], integers; codes: [n, n_latents]. The forests learn on every second row; informativeness is
    their accuracy on the others, as a share of the way from chance (the commonest value) to 1. Raises ValueError where
    shapes or types do not fit.
    """
    sources, codes = _paired(sources, codes, discrete=False)
    importances, informed = [], []
    for source in sources.T:
        forest = RandomForestClassifier(n_trees, max_features=None, min_samples_leaf=2, random_state=seed)
        forest.fit(codes[::2], source[::2])
        importances.append(forest.feature_importances_)
        chance = np.unique(source[1::2], return_counts=True)[1].max() / len(source[1::2])
        informed.append((forest.score(codes[1::2], source[1::2]) - chance) / (1 - chance))
    table = np.array(importances)
    weight = table.sum(0) / table.sum()
    return DCI(float(weight @ _certainty(table)), float(_certainty(table.T).mean()), float(np.mean(informed)))


def _paired(sources, codes, discrete):
    sources, codes = np.asarray(sources), np.asarray(codes)
    if sources.ndim != 2 or codes.ndim != 2 or len(sources) != len(codes):
        raise ValueError(
            f"sources [n, n_sources] and codes [n, n_latents] are needed; got {sources.shape}, {codes.shape}"
        )
    if not np.issubdtype(sources.dtype, np.integer) or (discrete and not np.issubdtype(codes.dtype, np.integer)):
        raise ValueError(f"sources, and discrete codes, must be integers; got {sources.dtype} and {codes.dtype}")
    if (np.ptp(sources, axis=0) == 0).any():
        raise ValueError(f"source {int((np.ptp(sources, axis=0) == 0).argmax())} takes a single value")
    if not np.isfinite(codes).all():
        raise ValueError("codes must be finite")
    return sources, codes


def _entropies(sources):
    shares = [np.unique(s, return_counts=True)[1] / len(s) for s in sources.T]
    return np.array([-(p * np.log(p)).sum() for p in shares])


def _counted(a, b):
    """Mutual information of two integer vectors by counting."""
    a, b = (np.unique(v, return_inverse=True)[1] for v in (a, b))
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return (joint[seen] * np.log(joint[seen] / independent[seen])).sum()


def _ross(source, code, n_neighbors):
    """Mutual information of an integer and a real vector from distances to neighbours (Ross, 2014, equation 2)."""
    if np.ptp(code) == 0:
        return 0.0
    # a little noise, as in scikit-learn, since equal values would have no distance
    code = (code - code.mean()) / code.std() + 1e-6 * np.random.default_rng(0).standard_normal(len(code))
    values, counts = np.unique(source, return_counts=True)
    kept = np.isin(source, values[counts > 1])  # a value seen once has no neighbour
    ordered = np.sort(code[kept])
    terms = []
    for value in values[counts > 1]:
        own = np.sort(code[source == value])
        k = min(n_neighbors, len(own) - 1)
        # the k nearest of an entry of a sorted vector are in a window of k + 1 entries around it
        first, last = own[: len(own) - k], own[k:]
        radius = np.full(len(own), np.inf)
        for below in range(k + 1):
            entry, nearest = own[below : below + len(first)], radius[below : below + len(first)]
            np.minimum(nearest, np.maximum(entry - first, last - entry), out=nearest)
        radius *= 1 - 1e-6  # the k-th neighbour itself is outside, whatever rounding does
        within = np.searchsorted(ordered, own + radius, "right") - np.searchsorted(ordered, own - radius, "left")
        terms.append(digamma(k) - digamma(len(own)) - digamma(within))
    return digamma(len(ordered)) + np.concatenate(terms).mean() if terms else 0.0


def _concentration(shares):
    """How much of each column lies in its largest entry, averaged, from 0 (even) to 1. shares: [rows, columns]."""
    if len(shares) == 1:
        return 1.0
    total = shares.sum(0)
    largest = np.divide(shares.max(0), total, out=np.full(len(total), 1 / len(shares)), where=total > 0)
    return float((largest.mean() - 1 / len(shares)) / (1 - 1 / len(shares)))


def _certainty(table):
    """One minus the entropy of each column as a share of the largest possible. table: [rows, columns]."""
    if len(table) == 1:
        return np.ones(table.shape[1])
    p = table / np.maximum(table.sum(0), np.finfo(float).tiny)
    return 1 - entr(p).sum(0) / np.log(len(table)) if p.any() else np.zeros(table.shape[1])

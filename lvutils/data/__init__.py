"""Data sets by name, each with its licence, origin and hash in ``data/registry.yml``.

Nothing here downloads, except for data sets whose card says ``network: true`` (the ``paper`` profile's).
"""

from __future__ import annotations

from lvutils.data.dataset import DataError, Dataset, registry
from lvutils.data.loaders import LOADERS

__all__ = ["DataError", "Dataset", "load", "registry"]


def load(name: str) -> Dataset:
    """A data set by its name in ``data/registry.yml``, its hash checked.

    Raises DataError for an unknown name, a missing package or file, or a hash that differs.
    """
    if name not in LOADERS:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(sorted(LOADERS))}")
    try:
        dataset = LOADERS[name](name)
    except (ImportError, OSError) as error:
        raise DataError(f"{name} could not be read from {registry()[name]['origin']}: {error}") from error
    expected = registry()[name]["sha256"]
    if dataset.sha256 != expected:
        raise DataError(f"{name}: SHA-256 of the data is {dataset.sha256}, expected {expected} (data/registry.yml)")
    return dataset

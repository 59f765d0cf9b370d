"""What a data set is, and the registry of those that the book knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import yaml

from lvutils.paths import DATA


class DataError(RuntimeError):
    """Data are unknown, missing, damaged or of another form. The message says what was found and what was expected."""

    def _render_traceback_(self) -> list[str]:
        return [f"DataError: {self}"]  # IPython shows this in place of a traceback


@cache
def registry() -> dict[str, dict]:
    """All entries of ``data/registry.yml`` by name."""
    return yaml.safe_load((DATA / "registry.yml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Dataset:
    """A table with labels.

    x: [n, d] float64. y: [n] int64, or None. y_names: what the integers of y stand for.
    shape: the shape of one case where it is more than a vector, such as (28, 28).
    """

    name: str
    x: np.ndarray
    y: np.ndarray | None
    sha256: str
    shape: tuple[int, ...]
    y_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def extent(self) -> str:
        """Cases x columns, for the fingerprint."""
        return " x ".join(map(str, self.x.shape))

    @property
    def images(self) -> np.ndarray:
        """The cases as images, [n, height, width]. Raises DataError where a case is not an image."""
        if len(self.shape) != 2:
            raise DataError(f"{self.name}: a case has shape {self.shape}, not that of an image")
        return self.x.reshape(-1, *self.shape)

    @property
    def card(self) -> dict:
        """The registry's entry: title, origin, licence, unit, sha256. Empty for a reader's own data."""
        card = registry().get(self.name, {})
        return card if card.get("sha256") == self.sha256 else {}

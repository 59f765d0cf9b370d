"""Readers' own tables."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import numpy as np

from lvutils.data.dataset import DataError, Dataset


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

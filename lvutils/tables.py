"""A reader's own files: tables (CSV) and arrays (.npz), read strictly, and tables that a run leaves.

The readers are cheap and meant to be called before any long work. Whatever is not as expected raises DataError: one
line that names the file, the place in it and, where there is one, the cure. Nothing is guessed and nothing is dropped:
text stays as it was written, so that ``1.10``, ``007``, ``NA`` and ``1E1`` are names until a column is asked for as
numbers.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lvutils.data.dataset import DataError, Dataset
from lvutils.files import write_text

# What float() takes besides (1_000, nan, infinity, digits of other scripts) is text in a table.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# The first row as far as its quotes are in order, and a cell in quotes.
_FIRST_ROW = re.compile(r'(?:"[^"]*+"|[^"\r\n])*+')
_QUOTED = re.compile(r'"[^"]*+"')
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_NO_TABLES = {
    b"\xff\xfe": "is text in UTF-16, expected UTF-8; save it as CSV in UTF-8",
    b"\xfe\xff": "is text in UTF-16, expected UTF-8; save it as CSV in UTF-8",
    b"PK\x03\x04": "is a ZIP archive, as .xlsx and .npz files are, expected a CSV file; export the table as CSV",
    b"\x1f\x8b": "is compressed by gzip, expected a plain CSV file; unpack it",
}
_NO_ARRAYS = {
    b"\x93NUMPY": "is an .npy file, a single array without a name",
    b"\x80": "is a pickle, which is never loaded",
}
_LARGEST_WHOLE = 2**53  # from here on float64 no longer holds every whole number


@dataclass(frozen=True)
class Table:
    """A table as it was written: a row of names, then rows of as many cells, all text without outer blanks.

    file: its name. lines: the line of the file in which each row begins. sha256: of the file's bytes.
    """

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return Path(self.file).stem

    @property
    def extent(self) -> str:
        """Rows x columns, for the fingerprint."""
        return f"{len(self.rows)} x {len(self.columns)}"

    def require(self, *columns: str, optional: Iterable[str] | None = None) -> tuple[str, ...]:
        """Check which columns there are, and give the names of those beside ``columns``, in the order of the file.

        optional: the names that these may have; one that ends in ``*`` stands for all that begin so. None: any name.
        Raises DataError that names the columns that are missing, each with the nearest there, or one without a job.
        """
        _check_there(self.file, "column", columns, self.columns)
        others = tuple(c for c in self.columns if c not in columns)
        if optional is not None:
            allowed = list(optional)
            for column in others:
                if not any(column == a or (a.endswith("*") and column.startswith(a[:-1])) for a in allowed):
                    expected = f"expected {_listed(columns)}" + (f" and perhaps {_listed(allowed)}" if allowed else "")
                    near = _nearest(column, [*columns, *allowed])
                    raise _error(self.file, f"column {_quoted(column)}{near} has no job; {expected}")
        return others

    def text(self, column: str, empty: bool = False) -> list[str]:
        """The cells of a column as they were written, n of them.

        empty: whether a cell may be empty. Raises DataError for an empty cell that may not be, or a missing column.
        """
        at = self._place(column)
        cells = [row[at] for row in self.rows]
        if not empty and "" in cells:
            raise self.wrong(cells.index(""), column, "some text")
        return cells

    def numbers(self, column: str) -> np.ndarray:
        """A column as numbers, [n] float64, all finite.

        Raises DataError that names the line and the column of a cell that is empty or no such number.
        """
        at = self._place(column)
        numbers = np.empty(len(self.rows))
        for i, row in enumerate(self.rows):
            numbers[i] = float(row[at]) if _NUMBER.fullmatch(row[at]) else np.nan
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            comma = " with a decimal point" if "," in self.rows[wrong[0]][at] else ""
            raise self.wrong(wrong[0], column, f"a finite number{comma}")
        return numbers

    def matrix(self, columns: Sequence[str]) -> np.ndarray:
        """Several columns as numbers, [n, d] float64. Raises DataError as ``numbers`` does, or for no columns."""
        if not columns:
            raise _error(self.file, f"no column of numbers is left; found {_listed(self.columns)}")
        return np.column_stack([self.numbers(column) for column in columns])

    def wrong(self, row: int, column: str, expected: str) -> DataError:
        """The error for a cell, to be raised by whoever finds it wrong; row counts from 0."""
        cell = self.rows[row][self._place(column)]
        found = _quoted(cell) if cell else "empty"
        return _error(self.file, f"line {self.lines[row]}, column {_quoted(column)} is {found}, expected {expected}")

    def _place(self, column: str) -> int:
        _check_there(self.file, "column", [column], self.columns)
        return self.columns.index(column)


def read_table(path: str | Path) -> Table:
    """A CSV file: commas, UTF-8 with or without a byte order mark, one name a column in the first row.

    Cells may be in quotes, and then hold commas, line ends and quotes written twice. Empty lines are no rows.
    Raises DataError for a file that cannot be read or is of another kind, encoding or delimiter; a quote that is not
    closed; a column without a name or with one used twice; a row with more or fewer cells than there are columns; no
    rows at all.
    """
    name, raw = _content(path, "CSV")
    text = _decoded(name, raw)
    head = _QUOTED.sub("", _FIRST_ROW.match(text.lstrip("\r\n")).group())
    delimiter = max(_DELIMITERS, key=head.count)
    if head.count(delimiter) > head.count(","):
        parted = f"its columns seem to be parted by {_DELIMITERS[delimiter]}, expected commas"
        raise _error(name, f"{parted}; save it as comma-separated, numbers with decimal points")
    rows = _rows(name, text)
    if not rows:
        raise _error(name, "has nothing but empty lines, expected the names of columns and rows")
    (_, columns), *rows = rows
    _check_names(name, columns)
    for line, cells in rows:
        if len(cells) != len(columns):
            cure = "; a cell with a comma in it needs quotes around it" if len(cells) > len(columns) else ""
            expected = f"expected {len(columns)} as in the header{cure}"
            raise _error(name, f"line {line} has {len(cells)} cell{'s' * (len(cells) != 1)}, {expected}")
    if not rows:
        raise _error(name, f"has no rows below the names of its columns, {_listed(columns)}")
    lines, cells = zip(*rows, strict=True)
    return Table(name, columns, cells, lines, hashlib.sha256(raw).hexdigest())


def load_table(path: str | Path, label: str = "label") -> Dataset:
    """A reader's own table as a data set: columns of numbers, and one of labels.

    label: name of the column of labels (any values; they become integers in sorted order, numbers by size).
    Raises DataError as :func:`read_table` and :class:`Table` do.
    """
    table = read_table(path)
    columns = table.require(label)
    if not columns:
        raise _error(table.file, f"no column beside {_quoted(label)}, expected columns of numbers")
    labels = table.text(label)
    names, y = np.unique(labels, return_inverse=True)
    if all(_NUMBER.fullmatch(name) for name in names):
        order = np.argsort([float(name) for name in names], kind="stable")  # 9 before 10
        names, y = names[order], np.argsort(order)[y]
    x = table.matrix(columns)
    return Dataset(table.name, x, y, table.sha256, (x.shape[1],), tuple(map(str, names)), columns)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> Path:
    """Write a table that :func:`read_table` reads, whole or not at all; the path.

    rows: as many cells each as there are columns; floats come with six digits. Raises ValueError for a row of others.
    """
    lines = []
    for row in (columns, *rows):
        if len(row) != len(columns):
            raise ValueError(f"{path.name}: a row of {len(row)} cells, expected {len(columns)}")
        line = io.StringIO(newline="")  # the writer puts quotes around a lone \r only where lines end in one
        csv.writer(line).writerow(f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row)
        lines.append(line.getvalue().removesuffix("\r\n") + "\n")
    write_text(path, "".join(lines))
    return path


@dataclass(frozen=True)
class Arrays:
    """The arrays of an .npz file that were asked for, in that order, whole numbers as int64, others as float64.

    file: its name. sha256: of the file's bytes.
    """

    file: str
    arrays: dict[str, np.ndarray]
    sha256: str

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return Path(self.file).stem

    @property
    def extent(self) -> str:
        """The shape of each array, for the fingerprint."""
        return ", ".join(f"{key} {' x '.join(map(str, array.shape))}" for key, array in self.arrays.items())

    def wrong(self, key: str, expected: str) -> DataError:
        """The error for an array, to be raised by whoever finds it wrong; expected: in words, with what was found."""
        found = f"array {_quoted(key)} has shape {self.arrays[key].shape}"
        return _error(self.file, f"{found}, expected {expected}")


def read_arrays(
    path: str | Path,
    required: Mapping[str, int | Sequence[str]],
    whole: Collection[str] = (),
    varying: Collection[str] = (),
) -> Arrays:
    """Arrays of numbers from an .npz file, all values finite, no axis of length 0. Pickled objects are never loaded.

    required: what the axes of each array are called, such as ``{"x": ("n", "d"), "y": ("n",)}``, or how many there are;
    axes of one name have one length, which finds out most arrays that are transposed.
    whole: arrays of whole numbers; they come as int64 even where they were stored as float. varying: arrays that must
    not hold one value throughout.
    Raises DataError for a file that cannot be read, is damaged or is none of numpy's .npz files, and for an array that
    is missing or not as asked for.
    """
    name, raw = _content(path, ".npz")
    if not raw.startswith(b"PK"):
        found = next((f for start, f in _NO_ARRAYS.items() if raw.startswith(start)), f"begins with {raw[:8]!r}")
        raise _error(name, f"{found}, expected an .npz file with the arrays {_listed(required)}")
    members = _members(name, raw, required)
    arrays, lengths = {}, {}
    for key, axes in required.items():
        array = arrays[key] = _numbers(name, key, members[key], key in whole)
        _check_axes(name, key, array, axes, lengths)
        if key in varying and (array == array.flat[0]).all():
            raise _error(name, f"array {_quoted(key)} is {array.flat[0]:g} throughout, expected values that differ")
    return Arrays(name, arrays, hashlib.sha256(raw).hexdigest())


def _members(name: str, raw: bytes, wanted: Iterable[str]) -> dict[str, bytes]:
    """The bytes of the arrays that are wanted. Each is read to its end: only there is its checksum compared."""
    part = "its list of contents"
    # Damage can make zipfile and zlib raise nearly anything: BadZipFile, struct.error, NotImplementedError for a method
    # of compression that never was, RuntimeError for a file that now seems encrypted.
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            there = {member.removesuffix(".npy"): member for member in archive.namelist()}
            _check_there(name, "array", wanted, list(there))
            members = {}
            for key in wanted:
                part = f"array {_quoted(key)}"
                members[key] = archive.read(there[key])
        return members
    except DataError:
        raise
    except Exception as error:
        raise _error(name, f"is cut or damaged: {part} cannot be read ({_reason(error)})") from None


def _numbers(name: str, key: str, member: bytes, whole: bool) -> np.ndarray:
    """A member of an .npz file as an array of int64 or float64."""
    stream = io.BytesIO(member)
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # numpy's reader of headers raises what ast, tokenize and dtype do
        raise _error(name, f"array {_quoted(key)} cannot be read ({_reason(error)}), expected numbers") from None
    if stream.read(1):
        raise _error(name, f"array {_quoted(key)} is followed by bytes that are no part of it: damaged")
    if array.dtype.kind not in "biuf":
        raise _error(name, f"array {_quoted(key)} is of type {array.dtype}, expected numbers")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float64 cannot hold becomes infinite and is refused below
            array = array.astype(np.float64)
        wrong = ~np.isfinite(array)
        if wrong.any():
            first = _place_of(wrong)
            found = f"has {wrong.sum()} values that are not finite, the first {first}"
            raise _error(name, f"array {_quoted(key)} {found}, expected none")
        if not whole:
            return array
    wrong = (array > _LARGEST_WHOLE) | (array < -_LARGEST_WHOLE)
    if array.dtype.kind == "f":
        wrong |= array != np.round(array)
    if wrong.any():
        found = f"has the value {array[wrong][0]} {_place_of(wrong)}"
        raise _error(name, f"array {_quoted(key)} {found}, expected whole numbers up to 2^53")
    return array.astype(np.int64)


def _check_axes(
    name: str, key: str, array: np.ndarray, axes: int | Sequence[str], lengths: dict[str, tuple[int, str]]
) -> None:
    """Compare a shape with the axes asked for; lengths holds each axis met so far, and the array it was met in."""
    n_axes = axes if isinstance(axes, int) else len(axes)
    names = () if isinstance(axes, int) else axes
    found = f"array {_quoted(key)} has shape {array.shape}"
    if array.ndim != n_axes or 0 in array.shape:
        as_named = f", ({', '.join(names)})" if names else ""
        raise _error(name, f"{found}, expected {n_axes} ax{'i' if n_axes == 1 else 'e'}s{as_named}, none of length 0")
    for axis, length in zip(names, array.shape, strict=False):
        before, other = lengths.setdefault(axis, (length, key))
        if length != before:
            raise _error(name, f"{found}, {axis} {length}, expected {before} as in {_quoted(other)}; transposed?")


def _content(path: str | Path, kind: str) -> tuple[str, bytes]:
    """The name of a file and its bytes. kind: what was expected, for the message."""
    path = Path(path)
    name = path.name or str(path)
    try:
        # Anything but a plain file is refused before it is opened: reading from a pipe or a device might never end.
        if path.exists() and not path.is_file():
            found = "is a folder" if path.is_dir() else "is no plain file"
            raise _error(name, f"{found}, expected a {kind} file")
        raw = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise _error(name, f"is not a readable {kind} file ({_reason(error)})") from None
    if not raw:
        raise _error(name, f"is empty, expected a {kind} file")
    return name, raw


def _decoded(name: str, raw: bytes) -> str:
    """The text of a file in UTF-8."""
    for start, found in _NO_TABLES.items():
        if raw.startswith(start):
            raise _error(name, found)
    if (at := raw.find(b"\0")) >= 0:
        raise _error(name, f"line {_line_of(raw, at)} has a NUL byte: no text file, or text in UTF-16, expected UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, line = error.object[error.start], _line_of(error.object, error.start)
        found = f"line {line} has the byte 0x{byte:02X}, which is not UTF-8 there (Latin-1 or Windows-1252?)"
        raise _error(name, f"{found}; save it as CSV in UTF-8") from None


def _rows(name: str, text: str) -> list[tuple[int, tuple[str, ...]]]:
    """The line in which each row begins, and its cells. Lines end at ``\\r`` and ``\\n`` only, not at U+2028."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    rows, line = [], 1
    try:
        for cells in reader:
            if cells:
                rows.append((line, tuple(cell.strip() for cell in cells)))
            line = reader.line_num + 1
    except csv.Error as error:
        if "limit" in str(error):  # of the characters in a cell
            found = f"has a cell of over {csv.field_size_limit()} characters, as a quote that is not closed makes it"
        else:
            found = "has a quote that is not closed at the end of its cell; inside a cell a quote is written twice"
        raise _error(name, f"line {line} {found}") from None
    return rows


def _check_names(name: str, columns: Sequence[str]) -> None:
    """Refuse columns without a name, names used twice, and the row numbers that pandas and R write."""
    cure = "row numbers of pandas' to_csv (write with index=False) or R's write.csv (row.names = FALSE)?"
    first: dict[str, int] = {}
    for k, column in enumerate(columns, 1):
        # "Unnamed: 0" is what pandas makes of row numbers that it wrote and read again.
        if re.fullmatch(r"Unnamed: [0-9.]+", column):
            raise _error(name, f"column {k} is {_quoted(column)}; {cure}")
        if not column:
            raise _error(name, f"column {k} has no name{'; ' + cure if k == 1 else ', expected one for each'}")
        if first.setdefault(column, k) != k:
            raise _error(name, f"columns {first[column]} and {k} are both called {_quoted(column)}")


def _check_there(name: str, kind: str, wanted: Iterable[str], found: Sequence[str]) -> None:
    missing = [f"{_quoted(w)}{_nearest(w, found)}" for w in wanted if w not in found]
    if missing:
        raise _error(name, f"no {kind} {', '.join(missing)}; found {_listed(found) or 'none'}")


def _nearest(word: str, known: Iterable[str]) -> str:
    """The word of those known that one may have meant, whatever its case; or nothing."""
    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), lowered, n=1)
    return f" (near: {_quoted(lowered[close[0]])})" if close else ""


def _error(name: str, message: str) -> DataError:
    return DataError(f"{_shown(name)}: {message}")


def _shown(text: str) -> str:
    """Text as it is, where it has one line and every terminal can print it."""
    return text if text.isprintable() else repr(text)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _listed(names: Iterable[str]) -> str:
    names = [_shown(n if len(n) <= 60 else n[:59] + "…") for n in names]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _reason(error: Exception) -> str:
    """What an error says, without the path that it may repeat, in one line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split())[:120]


def _line_of(raw: bytes, at: int) -> int:
    return 1 + len(re.findall(rb"\r\n?|\n", raw[:at]))


def _place_of(wrong: np.ndarray) -> str:
    """Where in an array the first of some values stands."""
    return f"at [{', '.join(map(str, np.argwhere(wrong)[0]))}]"

"""Readers' own files: what was written comes back, and whatever is broken is one line."""

import csv
import gzip
import hashlib
import io
import os
import pickle
import random
import re
import string
import struct
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lvutils.data import DataError
from lvutils.paths import DATA
from lvutils.tables import read_arrays, read_table, write_table

# The same examples each time, none kept on disk; a busy machine is no failure.
settings.register_profile("book", derandomize=True, database=None, deadline=None, max_examples=150)
settings.load_profile("book")

NAMES_LIKE_NUMBERS = [
    "1.10",
    "1.1",
    "007",
    "NA",
    "None",
    "null",
    "nan",
    "1E1",
    "10",
    "1e400",
    "True",
    "2020-01-02",
    "-",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("files")


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_csv(columns, rows, **dialect):
    out = io.StringIO(newline="")
    csv.writer(out, **dialect).writerows([columns, *rows])
    return out.getvalue()


def one_line(error, name):
    """Whether an error is what a reader may see: one printable line that begins with the file's name."""
    text = str(error.value)
    assert text.startswith(f"{name}: ")
    assert text.isprintable()
    assert len(text) < 1000
    assert error.value._render_traceback_() == [f"DataError: {text}"]
    return text.removeprefix(f"{name}: ")


# --- tables: what is written comes back -------------------------------------------------------------------------------

# Any text that a file in UTF-8 can hold: line ends, quotes, commas, U+2028, U+0085, right-to-left words, but no NUL.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
TRAPS = st.sampled_from(
    [*NAMES_LIKE_NUMBERS, 'say "no"', "a,b", "two\nlines", "two\r\nlines", "a\u2028b\u2029c\x85d", " x "]
)
CELL = TEXT | TRAPS
MINIMAL = {"lineterminator": "\n"}
DIALECTS = st.sampled_from(
    [
        {},
        MINIMAL,
        {"quoting": csv.QUOTE_ALL, "lineterminator": "\n"},
        {"quoting": csv.QUOTE_ALL, "lineterminator": "\r"},
    ]
)


@st.composite
def tables(draw, cells=CELL, fewest=1):
    d = draw(st.integers(fewest, 4))
    names = st.lists(CELL, min_size=d, max_size=d, unique_by=str.strip)
    columns = draw(names.filter(lambda names: all(n.strip() and not n.startswith("Unnamed: ") for n in names)))
    # A first letter that is the byte order mark, or names with more semicolons in them than commas between them.
    assume(columns[0][0] != "\ufeff" and max(map("".join(columns).count, ";\t|")) < d)
    return columns, draw(st.lists(st.lists(cells, min_size=d, max_size=d), min_size=1, max_size=6))


@given(table=tables(), dialect=DIALECTS, mark=st.booleans())
def test_a_table_comes_back_as_it_was_written(folder, table, dialect, mark):
    columns, rows = table
    # With lines that end in \n, Python's writer leaves a lone \r without quotes, where it is a line end.
    assume(dialect != MINIMAL or not any("\r" in cell for row in [columns, *rows] for cell in row))
    text = as_csv(columns, rows, **dialect)
    raw = text.encode("utf-8-sig" if mark else "utf-8")
    read = read_table(written(folder / "mine.csv", raw))
    assert read.columns == tuple(c.strip() for c in columns)
    assert read.rows == tuple(tuple(cell.strip() for cell in row) for row in rows)
    assert [read.text(c, empty=True) for c in read.columns] == [list(column) for column in zip(*read.rows, strict=True)]
    assert (read.file, read.sha256, len(read)) == ("mine.csv", hashlib.sha256(raw).hexdigest(), len(rows))


@given(st.data(), st.integers(1, 4), st.integers(1, 6), DIALECTS)
def test_numbers_come_back_to_the_last_bit(folder, data, d, n, dialect):
    rows = data.draw(
        st.lists(
            st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=d, max_size=d), min_size=n, max_size=n
        )
    )
    columns = [f"x{j}" for j in range(d)]
    read = read_table(written(folder / "mine.csv", as_csv(columns, rows, **dialect)))
    expected = np.array(rows)
    np.testing.assert_array_equal(read.matrix(columns), expected)
    np.testing.assert_array_equal(read.matrix(columns[::-1]), expected[:, ::-1])
    for j, column in enumerate(columns):
        numbers = read.numbers(column)
        assert (numbers.dtype, numbers.shape) == (np.float64, (n,))
        np.testing.assert_array_equal(np.signbit(numbers), np.signbit(expected[:, j]))  # -0 as well


@given(tables(fewest=2), st.data(), st.booleans())
def test_a_row_with_a_cell_more_or_less_is_named_by_its_line(folder, table, data, more):
    columns, rows = table
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at] = [*rows[at], "1"] if more else rows[at][:-1]
    text = as_csv(columns, rows, quoting=csv.QUOTE_ALL)
    line = 1 + line_ends(as_csv(columns, rows[:at], quoting=csv.QUOTE_ALL))
    with pytest.raises(DataError) as error:
        read_table(written(folder / "mine.csv", text))
    assert one_line(error, "mine.csv").startswith(f"line {line} has {len(rows[at])} cell")


def line_ends(text):
    """How many line ends an editor counts: those of Windows, of Unix, of old Macs."""
    return len(re.findall("\r\n|\r|\n", text))


@given(st.lists(TEXT, min_size=1, max_size=6), st.data(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_cell_that_is_no_number_is_named_by_its_line_whatever_lines_the_texts_before_it_have(
    folder, texts, data, end
):
    at = data.draw(st.integers(0, len(texts) - 1))
    rows = [[t, "oops" if i == at else i] for i, t in enumerate(texts)]
    dialect = {"quoting": csv.QUOTE_ALL, "lineterminator": end}
    read = read_table(written(folder / "mine.csv", as_csv(["a", "b"], rows, **dialect)))
    with pytest.raises(DataError) as error:
        read.numbers("b")
    line = 1 + line_ends(as_csv(["a", "b"], rows[:at], **dialect))
    assert one_line(error, "mine.csv") == f"line {line}, column 'b' is 'oops', expected a finite number"


PLAIN = st.text(string.ascii_letters + string.digits, min_size=1, max_size=4)


@given(tables(PLAIN), st.data())
def test_a_quote_that_is_not_closed_is_named_by_its_line_and_never_merges_rows(folder, table, data):
    columns, rows = table
    columns = [f"c{j}" for j in range(len(columns))]
    i, j = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(columns) - 1))
    rows[i][j] = f'"{rows[i][j]}'
    text = "\n".join(",".join(row) for row in [columns, *rows]) + "\n"
    with pytest.raises(DataError) as error:
        read_table(written(folder / "mine.csv", text))
    assert one_line(error, "mine.csv").startswith(f"line {i + 2} has a quote that is not closed")


@given(tables(), st.randoms(use_true_random=False))
def test_a_damaged_table_is_read_or_refused_in_one_line(folder, table, rng):
    raw = bytearray(as_csv(*table).encode())
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(raw))
        raw[at : at + rng.randint(0, 2)] = rng.choice([b"", b'"', b",", b"\n", b"\0", b"\xff", b"\xe9x", b";", b"\r"])
        raw = raw or bytearray(b"x")
    only_table_or_line(folder, bytes(raw))


@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(folder, raw):
    only_table_or_line(folder, raw)


def only_table_or_line(folder, raw):
    try:
        read = read_table(written(folder / "mine.csv", raw))
    except DataError as error:
        one_line(SimpleNamespace(value=error), "mine.csv")
    else:
        assert {len(row) for row in read.rows} == {len(read.columns)}
        assert len(read.rows) == len(read.lines) == len(read) > 0
        assert list(read.lines) == sorted(set(read.lines))


# --- tables: what they give -------------------------------------------------------------------------------------------


def table(tmp_path, text):
    return read_table(written(tmp_path / "mine.csv", text))


def test_names_that_look_like_numbers_stay_apart(tmp_path):
    read = table(tmp_path, "id,x\n" + "".join(f" {name}\t,1\n" for name in NAMES_LIKE_NUMBERS))
    assert read.text("id") == NAMES_LIKE_NUMBERS


@pytest.mark.parametrize("text", ["1", "+1", "-1", "1.", ".5", "1e3", "1E-3", " 2.50 ", '"3"', "0", "-0.0"])
def test_what_is_a_number(tmp_path, text):
    assert table(tmp_path, f"x,y\n{text},a\n").numbers("x") == [float(text.strip('"'))]


@pytest.mark.parametrize(
    "text", ["1_000", "nan", "inf", "-Infinity", "1e999", "0x10", "١٢", "−1", "1 2", "e5", ".", "12%"]
)
def test_what_float_may_take_and_is_no_number_of_a_table(tmp_path, text):
    with pytest.raises(DataError) as error:
        table(tmp_path, f"x,y\n1,a\n{text},b\n").numbers("x")
    assert one_line(error, "mine.csv") == f"line 3, column 'x' is {text!r}, expected a finite number"


def test_lines_are_those_of_an_editor(tmp_path):
    read = table(tmp_path, '\n\na,b\r\n"1\n2",3\n\n\r\n4,"5\r6\r\n7"\r8,9\n')
    assert read.rows == (("1\n2", "3"), ("4", "5\r6\r\n7"), ("8", "9"))
    assert read.lines == (4, 8, 11)


def test_separators_of_unicode_do_not_end_a_line(tmp_path):
    read = table(tmp_path, "name,x\nA\u2028B\x85C\x0bD\x1cE,1\n")
    assert read.rows == (("A\u2028B\x85C\x0bD\x1cE", "1"),)


def test_a_name_may_have_a_semicolon(tmp_path):
    assert table(tmp_path, 'a;b,"c;d;e"\n1,2\n').columns == ("a;b", "c;d;e")


def test_a_quote_inside_a_cell_without_quotes_is_a_letter(tmp_path):
    assert table(tmp_path, 'pipe,x\n5" steel,1\n').text("pipe") == ['5" steel']


def test_a_blank_before_a_quote_is_no_part_of_the_cell(tmp_path):
    assert table(tmp_path, 'a, b\n1, "x, y"\n').rows == (("1", "x, y"),)


def test_empty_cells_only_where_they_are_allowed(tmp_path):
    read = table(tmp_path, "id,note\n1,\n2,  \n3,x\n")
    assert read.text("note", empty=True) == ["", "", "x"]
    with pytest.raises(DataError, match=r"^mine\.csv: line 2, column 'note' is empty, expected some text$"):
        read.text("note")


def test_the_columns_beside_the_required_ones_come_in_the_order_of_the_file(tmp_path):
    read = table(tmp_path, "b,label,a,gate_1\n1,u,2,3\n")
    assert read.require("label") == ("b", "a", "gate_1")
    assert read.require("label", "a", optional=["b", "gate_*"]) == ("b", "gate_1")
    assert read.require("b", "label", "a", "gate_1", optional=[]) == ()


def test_the_nearest_name_is_found_whatever_its_case(tmp_path):
    with pytest.raises(DataError, match=r"^mine\.csv: no column 'RATER' \(near: 'rater'\); found rater, object$"):
        table(tmp_path, "rater,object\n1,2\n").text("RATER")


@pytest.mark.parametrize("other", ["x?1", "x.2", "x"])
def test_names_are_no_patterns_but_for_a_star_at_the_end(tmp_path, other):
    with pytest.raises(DataError) as error:
        table(tmp_path, "x[1],x.1\n1,2\n").require("x[1]", optional=[other])
    message = r"column 'x\.1'( \(near: '.*'\))? has no job; expected x\[1\] and perhaps " + re.escape(other)
    assert re.fullmatch(message, one_line(error, "mine.csv"))


def test_who_finds_a_cell_wrong_names_its_place_alike(tmp_path):
    error = table(tmp_path, 'id,rating\n"a\nb",1\nc,2.5\n').wrong(1, "rating", "a whole number")
    assert str(error) == "mine.csv: line 4, column 'rating' is '2.5', expected a whole number"


def test_a_table_cannot_be_changed_by_name(tmp_path):
    with pytest.raises(AttributeError):
        table(tmp_path, "a\n1\n").rows = ()


@pytest.mark.parametrize("path", sorted((DATA / "examples").glob("*.csv")), ids=lambda path: path.name)
def test_the_examples_are_what_pandas_reads(path):
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    read = read_table(path)
    assert list(read.columns) == list(frame.columns)
    assert [list(row) for row in read.rows] == frame.to_numpy().tolist()
    assert list(read.lines) == list(range(2, len(frame) + 2))


# --- tables: the corpus of broken files -------------------------------------------------------------------------------

HEADER = "id,time,y\n"
GOOD = "a,1,2\n"
FRAME = pd.DataFrame({"id": ["a", "b"], "time": [1, 2], "y": [3.0, 4.0]})
CLOSED = "has a quote that is not closed at the end of its cell; inside a cell a quote is written twice"
CURE = "row numbers of pandas' to_csv (write with index=False) or R's write.csv (row.names = FALSE)?"
PARTED = "expected commas; save it as comma-separated, numbers with decimal points"
MORE = "expected 3 as in the header; a cell with a comma in it needs quotes around it"
UTF8 = "save it as CSV in UTF-8"
NUL = "has a NUL byte: no text file, or text in UTF-16, expected UTF-8"
BYTE = "which is not UTF-8 there (Latin-1 or Windows-1252?); save it as CSV in UTF-8"
LONG = "b" * 70

# What a chapter that reads the columns id (text), time and y (numbers) must say of each.
BROKEN_TABLES = {
    # files of another kind
    "empty": ("", "is empty, expected a CSV file"),
    "byte order mark alone": (b"\xef\xbb\xbf", "has nothing but empty lines, expected the names of columns and rows"),
    "empty lines": ("\n\r\n\n", "has nothing but empty lines, expected the names of columns and rows"),
    "header only": (HEADER, "has no rows below the names of its columns, id, time, y"),
    "UTF-16 from Excel": ((HEADER + GOOD).encode("utf-16"), f"is text in UTF-16, expected UTF-8; {UTF8}"),
    "UTF-16, big-endian": (
        b"\xfe\xff" + (HEADER + GOOD).encode("utf-16-be"),
        f"is text in UTF-16, expected UTF-8; {UTF8}",
    ),
    "UTF-16 without mark": ((HEADER + GOOD).encode("utf-16-le"), f"line 1 {NUL}"),
    "Latin-1": ((HEADER + GOOD + "café,1,2\n").encode("latin-1"), f"line 3 has the byte 0xE9, {BYTE}"),
    "Latin-1 below a byte order mark": (
        b"\xef\xbb\xbf" + HEADER.encode() + b"\xc9va,1,2\n",
        f"line 2 has the byte 0xC9, {BYTE}",
    ),
    "Windows-1252 after old line ends": (b"id,time,y\rca\x80,1,2\r", f"line 2 has the byte 0x80, {BYTE}"),
    "cut inside a letter": ((HEADER + "é,1,2").encode()[: len(HEADER) + 1], f"line 2 has the byte 0xC3, {BYTE}"),
    "zeros at the end": (HEADER + GOOD + "\0" * 512, f"line 3 {NUL}"),
    "NUL in a cell": (HEADER + "a\0b,1,2\n", f"line 2 {NUL}"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", f"line 3 {NUL}"),
    "workbook": (
        b"PK\x03\x04\x14\0\x06\0",
        "is a ZIP archive, as .xlsx and .npz files are, expected a CSV file; export the table as CSV",
    ),
    "compressed": (
        gzip.compress((HEADER + GOOD).encode()),
        "is compressed by gzip, expected a plain CSV file; unpack it",
    ),
    "web page": (
        "<!DOCTYPE html>\n<p>404, not found</p>\n",
        "line 2 has 2 cells, expected 1 as in the header; a cell with a comma in it needs quotes around it",
    ),
    "JSON": ('{"id": "a"}\n{"id": "b"}\n', "no column 'id', 'time', 'y'; found {\"id\": \"a\"}"),
    # delimiters
    "semicolons": (
        FRAME.to_csv(sep=";", decimal=",", index=False),
        f"its columns seem to be parted by semicolons, {PARTED}",
    ),
    "semicolons, quotes": (
        '"id";"time, in s";"y"\n"a";"1";"2"\n',
        f"its columns seem to be parted by semicolons, {PARTED}",
    ),
    "semicolons, told to Excel": (
        "sep=;\nid;time;y\na;1;2\n",
        f"its columns seem to be parted by semicolons, {PARTED}",
    ),
    "semicolons, one comma": ("id;time, in s;y\na;1,5;2\n", f"its columns seem to be parted by semicolons, {PARTED}"),
    "semicolons below an empty line": ("\n\nid;time\na;1\n", f"its columns seem to be parted by semicolons, {PARTED}"),
    "tabs": (FRAME.to_csv(sep="\t", index=False), f"its columns seem to be parted by tabs, {PARTED}"),
    "bars": (FRAME.to_csv(sep="|", index=False), f"its columns seem to be parted by bars, {PARTED}"),
    "blanks": ("id time y\na 1 2\n", "no column 'id', 'time' (near: 'id time y'), 'y'; found id time y"),
    # headers
    "pandas' index": (FRAME.to_csv(), f"column 1 has no name; {CURE}"),
    "pandas' index, twice": (
        pd.read_csv(io.StringIO(FRAME.to_csv())).to_csv(index=False),
        f"column 1 is 'Unnamed: 0'; {CURE}",
    ),
    "R's row names": ('"","id","time","y"\n"1","a",1,2\n', f"column 1 has no name; {CURE}"),
    "R's row names without a cell in the header": ('"id","time","y"\n"1","a",1,2\n', f"line 2 has 4 cells, {MORE}"),
    "comma at the end of the header": ("id,time,y,\na,1,2,\n", "column 4 has no name, expected one for each"),
    "name of blanks": ("id,time,  ,y\na,1,5,2\n", "column 3 has no name, expected one for each"),
    "name twice": ("id,y,time,y\na,1,2,3\n", "columns 2 and 4 are both called 'y'"),
    "name twice but for blanks": ("id,time, y,y \na,1,2,3\n", "columns 3 and 4 are both called 'y'"),
    "no header": ("a,1,2\nb,2,3\n", "no column 'id', 'time', 'y'; found a, 1, 2"),
    "name misspelt": ("id,tme,y\na,1,2\n", "no column 'time' (near: 'tme'); found id, tme, y"),
    "names in capitals": (
        "ID,Time,y\na,1,2\n",
        "no column 'id' (near: 'ID'), 'time' (near: 'Time'); found ID, Time, y",
    ),
    "name with a line end": ('id,"ti\nme",y\na,1,2\n', "no column 'time' (near: 'ti\\nme'); found id, 'ti\\nme', y"),
    "hundred names": (
        ",".join(f"x{j}" for j in range(100)) + "\n" + ",".join("1" * 100) + "\n",
        "no column 'id', 'time', 'y'; found " + ", ".join(f"x{j}" for j in range(12)) + " and 88 more",
    ),
    "column without a job": (
        "id,time,y,gat_1\na,1,2,3\n",
        "column 'gat_1' (near: 'gate_*') has no job; expected id, time, y and perhaps gate_*",
    ),
    # rows
    "cell more": (HEADER + GOOD + "a,1,2,3\n", f"line 3 has 4 cells, {MORE}"),
    "cell more in the first row": (HEADER + "a,1,2,3\n" + GOOD, f"line 2 has 4 cells, {MORE}"),
    "comma in a name": (HEADER + "Smith, John,1,2\n", f"line 2 has 4 cells, {MORE}"),
    "thousands": (HEADER + "a,1,234,567\n", f"line 2 has 4 cells, {MORE}"),
    "cell less": (HEADER + GOOD + "a,1\n" + GOOD, "line 3 has 2 cells, expected 3 as in the header"),
    "cut in the last row": (HEADER + GOOD + "b", "line 3 has 1 cell, expected 3 as in the header"),
    "line of blanks": (HEADER + GOOD + "  \n" + GOOD, "line 3 has 1 cell, expected 3 as in the header"),
    "comma at the end of each row": (HEADER + "a,1,2,\n", f"line 2 has 4 cells, {MORE}"),
    "comment above": (
        "# made today\n" + HEADER + GOOD,
        "line 2 has 3 cells, expected 1 as in the header; a cell with a comma in it needs quotes around it",
    ),
    "sum below": (HEADER + GOOD + "\nsum,2\n", "line 4 has 2 cells, expected 3 as in the header"),
    "two tables": (HEADER + GOOD + "\n" + "id,z\nb,1\n", "line 4 has 2 cells, expected 3 as in the header"),
    # quotes
    "quote not closed": (HEADER + '"a,1,2\nb,1,2\n', f"line 2 {CLOSED}"),
    "quote not closed in the last cell": (HEADER + GOOD + 'b,1,"2', f"line 3 {CLOSED}"),
    "quote not closed in the header": ('id,"time,y\na,1,2\n', f"line 1 {CLOSED}"),
    "quote not closed before a cell in quotes": (HEADER + GOOD + '"b,1,2\n"c",1,2\n', f"line 3 {CLOSED}"),
    "quote not doubled": (HEADER + '"say "no"",1,2\n', f"line 2 {CLOSED}"),
    "quote escaped by a backslash": (HEADER + '"say \\"no\\"",1,2\n', f"line 2 {CLOSED}"),
    "quote not closed in a long file": (
        HEADER + GOOD + '"b,1,2\n' + GOOD * 30_000,
        "line 3 has a cell of over 131072 characters, as a quote that is not closed makes it",
    ),
    # cells
    "word for a number": (HEADER + "a,1,two\n", "line 2, column 'y' is 'two', expected a finite number"),
    "no number": (HEADER + GOOD + "b,,2\n", "line 3, column 'time' is empty, expected a finite number"),
    "no name": (HEADER + GOOD + " ,1,2\n", "line 3, column 'id' is empty, expected some text"),
    "row of commas": (HEADER + GOOD + ",,\n", "line 3, column 'id' is empty, expected some text"),
    "R's missing value": (HEADER + "NA,1,NA\n", "line 2, column 'y' is 'NA', expected a finite number"),
    "infinite": (HEADER + "a,-inf,2\n", "line 2, column 'time' is '-inf', expected a finite number"),
    "too large": (HEADER + "a,1e309,2\n", "line 2, column 'time' is '1e309', expected a finite number"),
    "decimal comma": (
        HEADER + 'a,"1,5",2\n',
        "line 2, column 'time' is '1,5', expected a finite number with a decimal point",
    ),
    "number of Python": (HEADER + "a,1_000,2\n", "line 2, column 'time' is '1_000', expected a finite number"),
    "letter O": (HEADER + "a,1O,2\n", "line 2, column 'time' is '1O', expected a finite number"),
    "no-break space in a number": (
        HEADER + "a,1\u00a0000,2\n",
        "line 2, column 'time' is '1\\xa0000', expected a finite number",
    ),
    "word after a name of two lines": (
        HEADER + '"a\nb",1,2\n' + "c,1,x\n",
        "line 4, column 'y' is 'x', expected a finite number",
    ),
    "long word": (HEADER + f"a,{LONG},2\n", f"line 2, column 'time' is '{'b' * 59}…', expected a finite number"),
    "header again": (HEADER + GOOD + HEADER + GOOD, "line 3, column 'time' is 'time', expected a finite number"),
}


def use(path):
    read = read_table(path)
    read.require("id", "time", "y", optional=["gate_*"])
    read.text("id")
    read.matrix(["time", "y"])


@pytest.mark.filterwarnings("error")  # a warning would be a second line
@pytest.mark.parametrize("case", BROKEN_TABLES)
def test_a_broken_table_is_one_line(tmp_path, case):
    content, message = BROKEN_TABLES[case]
    with pytest.raises(DataError) as error:
        use(written(tmp_path / "mine.csv", content))
    assert one_line(error, "mine.csv") == message


def test_the_table_that_the_broken_ones_are_made_from_is_read(tmp_path):
    use(written(tmp_path / "mine.csv", HEADER + GOOD))


def test_no_columns_of_numbers_is_told(tmp_path):
    with pytest.raises(DataError, match=r"^mine\.csv: no column of numbers is left; found label$"):
        table(tmp_path, "label\nu\n").matrix(())


# --- paths, for both readers ------------------------------------------------------------------------------------------

READERS = {"CSV": read_table, ".npz": lambda path: read_arrays(path, {"x": 1})}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "is not a readable {} file (No such file or directory)"),
        ("folder", "is a folder, expected a {} file"),
        ("pipe", "is no plain file, expected a {} file"),
        ("x" * 300, "is not a readable {} file (File name too long)"),
        ("closed/mine", "is not a readable {} file (Permission denied)"),
        ("file/mine", "is not a readable {} file (Not a directory)"),
        ("loop", "is not a readable {} file (Too many levels of symbolic links)"),
    ],
)
def test_a_path_that_gives_no_file_is_one_line(tmp_path, monkeypatch, kind, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    if name == "closed/mine":  # the superuser, as whom tests may run, is refused nothing

        def refuse(self):
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.raises(DataError) as error:
        READERS[kind](path)
    assert one_line(error, path.name) == message.format(kind)


@pytest.mark.parametrize("name", ["two\nlines.csv", "\udcff.csv", "a\0b.csv"])
def test_a_name_that_no_terminal_can_show_is_written_in_escapes(tmp_path, name):
    with pytest.raises(DataError) as error:
        read_table(tmp_path / name)
    one_line(error, repr(name))


# --- arrays -----------------------------------------------------------------------------------------------------------

SPIKES = np.arange(24).reshape(4, 3, 2) % 5
MOVES = np.linspace(-1, 1, 12).reshape(4, 3, 1)
AXES = {"spikes": ("trials", "T", "N"), "behavior": ("trials", "T", "P")}


def npz(compressed=True, **arrays):
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return out.getvalue()


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def zipped(**members):
    """A sound archive of members of any content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def flipped(raw, at):
    return raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]


def recordings(path):
    return read_arrays(path, AXES, whole=["spikes"], varying=["behavior"])


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "i8", ">i4", "f2", "f4", ">f8", "g", "?"])
def test_arrays_come_back_as_numbers_of_two_types(tmp_path, compressed, dtype):
    values = np.array([[0, 1], [1, 0], [1, 1]])
    stored = np.asfortranarray(values.astype(dtype))
    raw = npz(compressed, y=np.array([0.5, 2.0]), x=stored, unused=np.array([{}], dtype=object))
    read = read_arrays(written(tmp_path / "mine.npz", raw), {"x": ("n", "d"), "y": 1})
    assert list(read.arrays) == ["x", "y"]
    assert read.arrays["x"].dtype == (np.float64 if stored.dtype.kind == "f" else np.int64)
    assert read.arrays["x"].dtype.isnative
    np.testing.assert_array_equal(read.arrays["x"], values)
    np.testing.assert_array_equal(read.arrays["y"], [0.5, 2])
    assert (read.file, read.sha256) == ("mine.npz", hashlib.sha256(raw).hexdigest())


def test_whole_numbers_stored_as_float_come_as_whole_numbers(tmp_path):
    raw = npz(x=np.array([0.0, -3.0, 2.0**53]))
    read = read_arrays(written(tmp_path / "mine.npz", raw), {"x": 1}, whole=["x"])
    assert read.arrays["x"].dtype == np.int64
    assert read.arrays["x"].tolist() == [0, -3, 2**53]


def test_one_value_throughout_is_refused_only_where_it_may_not_be(tmp_path):
    path = written(tmp_path / "mine.npz", npz(x=np.ones((2, 2))))
    assert read_arrays(path, {"x": 2}).arrays["x"].tolist() == [[1, 1], [1, 1]]
    with pytest.raises(DataError, match=r"^mine\.npz: array 'x' is 1 throughout, expected values that differ$"):
        read_arrays(path, {"x": 2}, varying=["x"])


@pytest.mark.parametrize("path", sorted((DATA / "examples").glob("*.npz")), ids=lambda path: path.name)
def test_the_examples_are_what_numpy_reads(path):
    with np.load(path) as file:
        stored = {name: file[name] for name in file.files}
    read = read_arrays(path, {name: array.ndim for name, array in stored.items()})
    for name, array in stored.items():
        np.testing.assert_array_equal(read.arrays[name], array.astype(float))


class Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (type(self.mark).touch, (self.mark,))


@pytest.mark.parametrize("inside", [True, False])
def test_a_pickle_is_never_loaded(tmp_path, inside):
    trap, mark = Trap(tmp_path / "mark"), tmp_path / "mark"
    raw = npz(x=np.array([trap], dtype=object)) if inside else pickle.dumps(trap)
    with pytest.raises(DataError) as error:
        read_arrays(written(tmp_path / "mine.npz", raw), {"x": 1})
    one_line(error, "mine.npz")
    assert not mark.exists()
    pickle.loads(pickle.dumps(trap))
    assert mark.exists()  # the trap works


@pytest.mark.parametrize("compressed", [True, False])
def test_half_a_file_of_any_length_is_one_line(tmp_path, compressed):
    raw = npz(compressed, spikes=SPIKES, behavior=MOVES)
    for n in range(len(raw)):
        with pytest.raises(DataError) as error:
            recordings(written(tmp_path / "mine.npz", raw[:n]))
        one_line(error, "mine.npz")


@pytest.mark.parametrize("compressed", [True, False])
def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path, compressed):
    raw = npz(compressed, spikes=SPIKES, behavior=MOVES)
    rng, noticed = random.Random(0), 0
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1 << rng.randrange(8)
        try:
            read = recordings(written(tmp_path / "mine.npz", bytes(changed)))
        except DataError as error:
            one_line(SimpleNamespace(value=error), "mine.npz")
            noticed += 1
        else:
            np.testing.assert_array_equal(read.arrays["spikes"], SPIKES)
            np.testing.assert_array_equal(read.arrays["behavior"], MOVES)
    assert noticed > len(raw) / 2


def test_a_shape_that_a_flipped_byte_made_smaller_is_noticed(tmp_path):
    """numpy alone reads the rows that the header promises and never comes to the checksum."""
    raw = npz(compressed=False, x=np.arange(90_000.0).reshape(9000, 10))
    damaged = raw.replace(b"(9000, 10)", b"(8000, 10)")
    with np.load(io.BytesIO(damaged)) as file:
        assert file["x"].shape == (8000, 10)
    with pytest.raises(DataError, match=r"^mine\.npz: is cut or damaged: array 'x' cannot be read \(Bad CRC-32 "):
        read_arrays(written(tmp_path / "mine.npz", damaged), {"x": 2})


@given(st.binary(max_size=40).map(lambda tail: b"PK\x03\x04" + tail) | st.binary(max_size=40))
def test_any_bytes_for_an_npz_file_are_one_line(folder, raw):
    with pytest.raises(DataError) as error:
        recordings(written(folder / "mine.npz", raw))
    one_line(error, "mine.npz")


# --- arrays: the corpus of broken files -------------------------------------------------------------------------------

WHOLE = npz(spikes=SPIKES, behavior=MOVES)
ENTRY = WHOLE.index(b"PK\x01\x02")  # of spikes in the list of contents: flags at 8, method at 10, checksum at 16
WANTED = "expected an .npz file with the arrays spikes, behavior"
HOLED = np.where(np.arange(12).reshape(4, 3, 1) >= 10, np.nan, MOVES)
DAMAGED = "is cut or damaged: array 'spikes' cannot be read"

BROKEN_ARRAYS = {
    "empty": (b"", "is empty, expected a .npz file"),
    "half": (
        WHOLE[: len(WHOLE) // 2],
        "is cut or damaged: its list of contents cannot be read (File is not a zip file)",
    ),
    "first half gone": (WHOLE[len(WHOLE) // 2 :], f"begins with {WHOLE[len(WHOLE) // 2 :][:8]!r}, {WANTED}"),
    "flipped byte in the data": (flipped(WHOLE, WHOLE.index(b"spikes.npy") + 60), re.compile(re.escape(DAMAGED))),
    "flipped byte in the checksum": (
        flipped(WHOLE, ENTRY + 16),
        f"{DAMAGED} (Bad CRC-32 for file 'spikes.npy')",
    ),
    "flipped bit that says encrypted": (
        WHOLE[: ENTRY + 8] + bytes([WHOLE[ENTRY + 8] | 1]) + WHOLE[ENTRY + 9 :],
        f"{DAMAGED} (File 'spikes.npy' is encrypted, password required for extraction)",
    ),
    "method of compression that never was": (
        WHOLE[: ENTRY + 10] + struct.pack("<H", 77) + WHOLE[ENTRY + 12 :],
        f"{DAMAGED} (That compression method is not supported)",
    ),
    "npy": (npy(SPIKES), f"is an .npy file, a single array without a name, {WANTED}"),
    "csv": (b"spikes,behavior\n1,2\n", f"begins with b'spikes,b', {WANTED}"),
    "pickle": (pickle.dumps({"spikes": SPIKES}), f"is a pickle, which is never loaded, {WANTED}"),
    "file of MATLAB": (b"MATLAB 5.0 MAT-file" + bytes(200), f"begins with b'MATLAB 5', {WANTED}"),
    "archive without members": (zipped(), "no array 'spikes', 'behavior'; found none"),
    "workbook": (zipped(**{"xl/workbook": b"<x/>"}), "no array 'spikes', 'behavior'; found xl/workbook"),
    "arrays without names": (
        npz(arr_0=SPIKES, arr_1=MOVES),
        "no array 'spikes', 'behavior'; found arr_0, arr_1",
    ),
    "missing": (npz(spikes=SPIKES), "no array 'behavior'; found spikes"),
    "misspelt": (
        npz(spikes=SPIKES, Behaviour=MOVES),
        "no array 'behavior' (near: 'Behaviour'); found spikes, Behaviour",
    ),
    "objects": (
        npz(spikes=np.array([[[1]], [[None]]], dtype=object), behavior=MOVES),
        "array 'spikes' cannot be read (Object arrays cannot be loaded when allow_pickle=False), expected numbers",
    ),
    "member of text": (
        zipped(spikes="1,2,3", behavior=npy(MOVES)),
        re.compile(r"array 'spikes' cannot be read \(.*\), expected numbers$"),
    ),
    "member cut before it was stored": (
        zipped(spikes=npy(SPIKES)[:-8], behavior=npy(MOVES)),
        re.compile(r"array 'spikes' cannot be read \(.*\), expected numbers$"),
    ),
    "member with more than its shape": (
        zipped(spikes=npy(SPIKES) + b"\0", behavior=npy(MOVES)),
        "array 'spikes' is followed by bytes that are no part of it: damaged",
    ),
    "header that is no header": (
        zipped(spikes=npy(SPIKES).replace(b"'shape'", b"'share'"), behavior=npy(MOVES)),
        re.compile(r"array 'spikes' cannot be read \(Header does not contain the correct keys.*\), expected numbers$"),
    ),
    "shape of no computer": (
        zipped(
            spikes=npy(SPIKES).replace(b"(4, 3, 2), }" + b" " * 20, b"(9999999999, 9999, 2), }".ljust(32)),
            behavior=npy(MOVES),
        ),
        re.compile(r"array 'spikes' cannot be read \(.*\), expected numbers$"),
    ),
    "words": (npz(spikes=SPIKES.astype(str), behavior=MOVES), "array 'spikes' is of type <U21, expected numbers"),
    "complex": (npz(spikes=SPIKES * 1j, behavior=MOVES), "array 'spikes' is of type complex128, expected numbers"),
    "dates": (
        npz(spikes=SPIKES.astype("M8[D]"), behavior=MOVES),
        "array 'spikes' is of type datetime64[D], expected numbers",
    ),
    "records": (
        npz(spikes=np.zeros(3, [("a", "f8")]), behavior=MOVES),
        "array 'spikes' is of type [('a', '<f8')], expected numbers",
    ),
    "axis less": (
        npz(spikes=SPIKES[0], behavior=MOVES),
        "array 'spikes' has shape (3, 2), expected 3 axes, (trials, T, N), none of length 0",
    ),
    "one number": (
        npz(spikes=3, behavior=MOVES),
        "array 'spikes' has shape (), expected 3 axes, (trials, T, N), none of length 0",
    ),
    "no values": (
        npz(spikes=SPIKES[:, :0], behavior=MOVES),
        "array 'spikes' has shape (4, 0, 2), expected 3 axes, (trials, T, N), none of length 0",
    ),
    "transposed": (
        npz(spikes=SPIKES, behavior=MOVES.transpose(1, 0, 2)),
        "array 'behavior' has shape (3, 4, 1), trials 3, expected 4 as in 'spikes'; transposed?",
    ),
    "first axes that differ": (
        npz(spikes=SPIKES, behavior=MOVES[:, :2]),
        "array 'behavior' has shape (4, 2, 1), T 2, expected 3 as in 'spikes'; transposed?",
    ),
    "not finite": (
        npz(spikes=SPIKES, behavior=HOLED),
        "array 'behavior' has 2 values that are not finite, the first at [3, 1, 0], expected none",
    ),
    "too large for float64": (
        npz(spikes=SPIKES, behavior=MOVES.astype("g") * np.longdouble("1e4000")),
        "array 'behavior' has 12 values that are not finite, the first at [0, 0, 0], expected none",
    ),
    "constant": (
        npz(spikes=SPIKES, behavior=np.full((4, 3, 1), 0.5)),
        "array 'behavior' is 0.5 throughout, expected values that differ",
    ),
    "rates for counts": (
        npz(spikes=SPIKES + 0.5, behavior=MOVES),
        "array 'spikes' has the value 0.5 at [0, 0, 0], expected whole numbers up to 2^53",
    ),
    "whole numbers beyond int64": (
        npz(spikes=np.full((4, 3, 2), 2**64 - 1, dtype=np.uint64), behavior=MOVES),
        "array 'spikes' has the value 18446744073709551615 at [0, 0, 0], expected whole numbers up to 2^53",
    ),
}


@pytest.mark.filterwarnings("error")  # a warning would be a second line
@pytest.mark.parametrize("case", BROKEN_ARRAYS)
def test_a_broken_file_of_arrays_is_one_line(tmp_path, case):
    content, message = BROKEN_ARRAYS[case]
    with pytest.raises(DataError) as error:
        recordings(written(tmp_path / "mine.npz", bytes(content)))
    found = one_line(error, "mine.npz")
    assert message.match(found) if isinstance(message, re.Pattern) else found == message


def test_the_file_that_the_broken_ones_are_made_from_is_read(tmp_path):
    assert list(recordings(written(tmp_path / "mine.npz", WHOLE)).arrays) == ["spikes", "behavior"]


def test_one_axis_is_one_axis(tmp_path):
    with pytest.raises(
        DataError, match=r"^mine\.npz: array 'x' has shape \(2, 2\), expected 1 axis, none of length 0$"
    ):
        read_arrays(written(tmp_path / "mine.npz", npz(x=np.eye(2))), {"x": 1})


# --- tables that a run leaves -----------------------------------------------------------------------------------------


@given(tables())
def test_what_is_written_is_read_back(folder, table):
    columns, rows = table
    columns = [c.strip() for c in columns]
    path = write_table(folder / "left.csv", columns, rows)
    read = read_table(path)
    assert (list(read.columns), [list(r) for r in read.rows]) == (columns, [[c.strip() for c in r] for r in rows])


def test_floats_come_with_six_digits_and_a_short_row_is_refused(tmp_path):
    path = write_table(tmp_path / "left.csv", ["name", "score", "n"], [["a,b", np.float64(1 / 3), 3]])
    assert path.read_text() == 'name,score,n\n"a,b",0.333333,3\n'
    with pytest.raises(ValueError, match=r"left\.csv: a row of 2 cells, expected 3"):
        write_table(path, ["name", "score", "n"], [["a", 1.0]])
    assert path.read_text().count("\n") == 2

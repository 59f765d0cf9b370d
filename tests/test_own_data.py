"""Chapters that take a reader's data: what is broken is refused at once, what is only odd comes back as it was."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import lvutils, read_json

from lvutils.paths import DATA, ROOT
from lvutils.press import catalogue
from lvutils.press.notebook import parameters_of, read_notebook
from lvutils.tables import read_table

EXAMPLES = {path.stem: path for path in sorted((DATA / "examples").iterdir())}
# Formulas, valid and not; HTML; what legends leave out; what looks like nothing or a number; long; from right to left.
NAMES = ["$5_a$", r"$\x$ %", "<b>x</b>", "_hidden", "NA", "1E1", "007", "x" * 200, "مرحبا"]


def takes_data(chapter) -> bool:
    parameters = parameters_of(read_notebook(chapter.notebook), chapter.slug)
    return "data" in parameters and parameters["data"].path


CHAPTERS = [chapter.slug for chapter in catalogue.written() if takes_data(chapter)]

# --- valid tables with names as above: the columns, the rows, a column of numbers ---------------------


def trajectories(rng):
    who = [*NAMES, *(f"person {k}" for k in range(60))]
    job = rng.normal(size=(len(who), 2))
    rows = [[i, t, *rng.normal(3 * t + g, 1, 1), g, e] for i, (g, e) in zip(who, job, strict=True) for t in range(5)]
    return ["id", "time", "y", "gate_$5_a$", "expert_<b>x</b>"], rows, "time"


def lists(rng):
    return ["list", "name", "id"], [[which, name, name] for which in "xy" for name in NAMES], None


def bags(rng):
    rows = [[*rng.normal(k % 4, 1, 3), name, k % 4 / 4] for k, name in enumerate(NAMES) for _ in range(16)]
    return [*NAMES[:3], "bag", "proportion"], rows, "proportion"


def parts(rng):
    return [*NAMES, "group"], [[*rng.lognormal(size=len(NAMES)), NAMES[4 + k % 2]] for k in range(60)], NAMES[0]


def ratings(rng):
    rows = [[a, b, c, rng.integers(4)] for a in NAMES for b in NAMES for c in NAMES[:2]]
    return ["rater", "object", "item", "rating"], rows, "rating"


def labelled(rng):
    return [*NAMES, "label"], [[*rng.normal(k % 4, 1, len(NAMES)), NAMES[k % 4]] for k in range(80)], NAMES[0]


def codes(rng):
    values = rng.integers(3, size=(150, 2))
    return [f"source{n}" for n in NAMES[:2]] + ["code1", "code2"], np.hstack([values, values]).tolist(), "code2"


def meadows(rng):
    (columns, *rows) = csv.reader(io.StringIO(EXAMPLES["latent-label-shift"].read_text(encoding="utf-8")))
    return columns, rows, "x1"


def environments(rng):
    rows = [[*rng.normal(k, 1, 4), name] for k, name in enumerate(NAMES) for _ in range(40)]
    return [*NAMES[:3], "target", "environment"], rows, "target"


def treated(rng):
    return ["t", "y", *NAMES], [[k % 2, *rng.normal(size=len(NAMES) + 1)] for k in range(120)], "y"


def domains(rng):
    rows = [[*rng.normal(k, 1 + k, 3), NAMES[k]] for k in range(len(NAMES)) for _ in range(40)]
    return [*NAMES[:3], "domain"], rows, NAMES[0]


def drifting(rng):
    rows = [[k % 2, NAMES[k // 2 % 2], k // 24, *rng.normal(k % 2, 1, 4)] for k in range(144)]
    return ["y", "a", "domain", *NAMES[:4]], rows, "domain"


def grouped(rng):
    rows = [[k % 2, NAMES[k % 4 // 2], *rng.normal(k % 2, 1, 4)] for k in range(480)]
    return ["y", "group", *NAMES[:4]], rows, "y"


def pairs_of_views(rng):
    z = rng.normal(size=(20 * len(NAMES), 3)) @ rng.normal(size=(3, len(NAMES)))
    x, y = (z + rng.normal(size=z.shape) for _ in "xy")
    return [f"{view}_{name}" for view in "xy" for name in NAMES], np.hstack([x, y]).tolist(), f"x_{NAMES[0]}"


def few_labels(rng):
    rows = [[*rng.normal(k % 4, 1, len(NAMES)), NAMES[k % 4] if k < 60 else ""] for k in range(160)]
    return [*NAMES, "label"], rows, NAMES[0]


def rated_pairs(rng):
    users, items = ([*NAMES, *(f"{kind} {k}" for k in range(12))] for kind in ("user", "item"))
    rows = [[a, b, rng.integers(1, 6)] for i, a in enumerate(users) for j, b in enumerate(items) if (i + j) % 3]
    return ["user", "item", "rating"], rows, "rating"


def known_pairs(rng):
    things = [*NAMES, "eight", "nine"]
    rows = [[a, b] for i, a in enumerate(things) for j, b in enumerate(things) if (i + j) % 3 == 0]
    return ["drug", "microbe"], rows, None


def numbers_and_words(rng):
    z = rng.normal(size=(120, 1))
    x = z + rng.normal(size=(120, len(NAMES) - 1))
    rows = [[*row, "red" if v > 0 else "blue"] for row, v in zip(x, z[:, 0], strict=True)]
    return NAMES, rows, NAMES[0]


def profiles_and_jobs(rng):
    words = np.array(["query", "index", "torch", "steel", "pupils", "lessons", "deals", "pricing", "seeds", "hedges"])
    rows = []
    for k, name in enumerate([*NAMES, *(f"profile {k}" for k in range(20)), *(f"job {k}" for k in range(6))]):
        topic = rng.choice(5, 2, replace=False)
        text = " ".join(rng.choice(words[np.r_[2 * topic, 2 * topic + 1]], 8))
        left = not name.startswith("job")
        rows.append([name, "left" if left else "right", text, "; ".join(NAMES[k] for k in topic) if left else ""])
    return ["id", "side", "text", "concepts"], rows, None


def categories(rng):
    first = rng.integers(3, size=(240, 3))
    copied = np.where(rng.random((240, 6)) < 0.1, rng.integers(3, size=(240, 6)), np.hstack([first, first]))
    return NAMES, [[f"${v}$" for v in row] for row in np.hstack([first, copied])], None


def outputs_of_a_model(rng):
    p = rng.dirichlet(np.ones(len(NAMES)), size=180).round(4)
    p[:60, 1:3] = 0  # a classifier that is sure
    p[:, 0] += 1 - p.sum(1)
    rows = [[f"row {k}", NAMES[k % len(NAMES)], *np.abs(row.round(4))] for k, row in enumerate(p)]
    return ["id", "label", *(f"p_{name}" for name in NAMES)], rows, f"p_{NAMES[2]}"


TABLES = {
    "cdsae": drifting,
    "compositional-partial-correlations": parts,
    "consciousness-prior": categories,
    "deep-linear-jepa": pairs_of_views,
    "dnis": rated_pairs,
    "domain-counterfactuals": domains,
    "explanation-disparities": grouped,
    "faceted-rasch": ratings,
    "graph2mda": known_pairs,
    "ila-sdp": labelled,
    "latent-label-shift": meadows,
    "latent-quantization": codes,
    "linkorgs": lists,
    "llp-belief-propagation": bags,
    "mcmi-distillation": outputs_of_a_model,
    "moe-trajectories": trajectories,
    "pac-invariance": environments,
    "posterior-collapse": labelled,
    "sesa": profiles_and_jobs,
    "t-jepa": numbers_and_words,
    "unsupervised-pretraining": few_labels,
    "vluci": treated,
}


def put(table, row, column, value):
    columns, rows, _ = table
    at = columns.index(column)
    return columns, [[*r[:at], value, *r[at + 1 :]] if k == row or row == "all" else r for k, r in enumerate(rows)]


# Faults of one chapter's tables or arrays alone: what is done to valid ones, and what the line must say.
FAULTS = {
    ("active-variables", "a variance below 0"): (
        lambda a: a | {"variance": a["variance"] - a["variance"].max()},
        "expected positive values",
    ),
    ("active-variables", "few images"): (lambda a: {k: v[:99] for k, v in a.items()}, "100 images or more"),
    ("active-variables", "a mean above 1e6"): (lambda a: a | {"mean": a["mean"] * 1e9}, "a value is above 1e6"),
    ("dnis", "an id seen once"): (
        lambda t: (t[0], [*t[1], ["new", NAMES[1], 3]]),
        "1 user has one rating, the first 'new'; expected 2 or more",
    ),
    ("dnis", "a pair rated twice"): (lambda t: (t[0], [*t[1], t[1][0]]), "each pair of user and item once"),
    ("dnis", "one rating for all"): (lambda t: put(t, "all", "rating", 3), "is 3 throughout, expected ratings that"),
    ("dnis", "few ratings"): (lambda t: (t[0], t[1][:59]), "59 ratings, expected 60 to 200,000"),
    ("dnis", "few items"): (lambda t: (t[0], [r for r in t[1] if r[1] in NAMES[:7]]), "7 items, expected at least K"),
    ("dnis", "a rating far out"): (lambda t: put(t, 5, "rating", 1e9), "line 7, column 'rating'"),
    ("llp-belief-propagation", "two shares in a bag"): (
        lambda t: put(t, 5, "proportion", 0.9),
        "line 7, column 'propor",
    ),
    ("llp-belief-propagation", "a share above 1"): (
        lambda t: put(t, "all", "proportion", 1.5),
        "one value from 0 to 1",
    ),
    ("llp-belief-propagation", "one share for all"): (
        lambda t: put(t, "all", "proportion", 0.25),
        "nothing says which",
    ),
    ("llp-belief-propagation", "one value for all"): (lambda t: put(t, "all", NAMES[1], 2), "one value throughout"),
    ("llp-belief-propagation", "few bags"): (lambda t: (t[0], t[1][:64]), "expected 8 bags"),
    ("consciousness-prior", "an identifier"): (
        lambda t: (["id", *t[0]], [[f"p{k}", *row] for k, row in enumerate(t[1])]),
        "column 'id' has 240 values in 240 rows, expected at most 12",
    ),
    ("consciousness-prior", "a copied column"): (
        lambda t: ([*t[0], "again"], [[*row, row[0] * 2] for row in t[1]]),
        "columns '$5_a$' and 'again' are copies",
    ),
    ("consciousness-prior", "a missing value"): (lambda t: put(t, 5, NAMES[1], ""), "line 7, column"),
    ("consciousness-prior", "few rows"): (lambda t: (t[0], t[1][:59]), "59 rows, expected 60 or more"),
    ("consciousness-prior", "one value for all"): (lambda t: put(t, "all", NAMES[1], 2), "one value throughout"),
    ("linkorgs", "a third list"): (lambda t: put(t, 5, "list", "z"), "line 7, column 'list' is 'z', expected x or y"),
    ("linkorgs", "a short list"): (lambda t: (t[0], t[1][:11]), "list y has 2 names"),
    ("faceted-rasch", "half a rating"): (lambda t: put(t, 5, "rating", 1.5), "line 7, column 'rating'"),
    ("faceted-rasch", "an item that all pass"): (lambda t: put(t, "all", "rating", 1), "has ratings from 1 to 1"),
    ("faceted-rasch", "two islands"): (lambda t: (t[0], [r for r in t[1] if (r[0] < "M") == (r[1] < "M")]), "islands"),
    ("moe-trajectories", "a time mistyped"): (lambda t: put(t, 5, "time", 1e4), "column 'time'"),
    ("moe-trajectories", "one value for all"): (lambda t: put(t, "all", "gate_$5_a$", 2), "is the same for all"),
    ("moe-trajectories", "few persons"): (lambda t: (t[0], t[1][:200]), "expected at least 60"),
    ("random-teachers", "one class"): (lambda a: a | {"labels": a["labels"] * 0}, "'labels' are all 0, expected two"),
    ("random-teachers", "a small class"): (
        lambda a: {k: v[np.cumsum(a["labels"] == 2) < 50] for k, v in a.items()},
        "class 2 has 49 images, expected 50 or more",
    ),
    ("random-teachers", "few images"): (lambda a: {k: v[:299] for k, v in a.items()}, "299 images, expected 300"),
    ("random-teachers", "colours"): (
        lambda a: a | {"images": np.repeat(a["images"][..., None], 4, 3)},
        "'images'",
    ),
    ("random-teachers", "an empty image"): (
        lambda a: a | {"images": a["images"] * (np.arange(len(a["images"])) != 5)[:, None, None]},
        "image 5 (from 0) has one grey level throughout",
    ),
    ("random-teachers", "thumbnails"): (lambda a: a | {"images": a["images"][:, ::2, ::2]}, "images of 4 x 4 pixels"),
    ("mm-gpvae", "a count below 0"): (
        lambda a: a | {"spikes": a["spikes"].astype(int) - 1},
        "expected counts from 0 to 10,000, found -1",
    ),
    ("mm-gpvae", "rates for counts"): (lambda a: a | {"spikes": a["spikes"] * 0.5}, "expected whole numbers"),
    ("mm-gpvae", "few trials"): (lambda a: {k: v[:19] for k, v in a.items()}, "at least 20 trials of 10 steps"),
    ("mm-gpvae", "a value far out"): (
        lambda a: (
            a | {"behavior": a["behavior"] + 1e9 * (np.arange(a["behavior"].size) == 5).reshape(a["behavior"].shape)}
        ),
        "values within 30 s.d.",
    ),
    ("mm-gpvae", "a constant channel"): (
        lambda a: a | {"behavior": a["behavior"] * np.array([1, 0, 1, 1])},
        "channels that vary, not as 1",
    ),
    ("mcmi-distillation", "logits"): (lambda t: put(t, 5, "p_NA", -1.5), "line 7 is no distribution"),
    ("mcmi-distillation", "a sum of two"): (lambda t: put(t, 5, "p_NA", 1), "of logits take the softmax first"),
    ("mcmi-distillation", "a label without a column"): (
        lambda t: put(t, 5, "label", "ninth"),
        "line 7, column 'label' is 'ninth', expected a class with a column p_CLASS",
    ),
    ("mcmi-distillation", "a class of one row"): (
        lambda t: (t[0], [row for k, row in enumerate(t[1]) if row[1] != "NA" or k < len(NAMES)]),
        "class 'NA' has one row",
    ),
    ("mcmi-distillation", "few rows"): (lambda t: (t[0], t[1][:19]), "19 rows, expected 20 or more"),
    ("mcmi-distillation", "a column without a job"): (
        lambda t: ([*t[0], "split"], [[*row, 1] for row in t[1]]),
        "has no job",
    ),
    ("graph2mda", "a pair twice"): (lambda t: (t[0], [*t[1], t[1][4]]), "a pair that is not in the file already"),
    ("graph2mda", "few pairs"): (lambda t: (t[0], t[1][:29]), "29 pairs, expected 30 or more"),
    ("graph2mda", "one microbe"): (lambda t: put(t, "all", "microbe", "one"), "expected"),
    ("graph2mda", "all pairs"): (
        lambda t: (t[0], [[a, b] for a in NAMES for b in NAMES]),
        "more than half of all pairs are listed",
    ),
    ("graph2mda", "attributes with the pairs"): (
        lambda t: ([*t[0], "weight"], [[*row, 1] for row in t[1]]),
        "column 'weight' has no job",
    ),
    ("sesa", "an unknown concept"): (
        lambda t: put(t, 30, "concepts", "juggling"),
        "line 32, concept 'juggling' is unknown: no left text lists it",
    ),
    ("sesa", "a concept listed once"): (
        lambda t: put(t, 3, "concepts", "juggling"),
        "concept 'juggling' is listed once, expected in two left texts or more",
    ),
    ("sesa", "a text without words"): (lambda t: put(t, 2, "text", "-- 12"), "line 4, column 'text' is '-- 12'"),
    ("sesa", "a third side"): (lambda t: put(t, 2, "side", "top"), "line 4, column 'side' is 'top'"),
    ("sesa", "an id twice"): (lambda t: put(t, 2, "id", "profile 3"), "id 'profile 3' stands in 2 rows"),
    ("sesa", "few texts"): (lambda t: (t[0], t[1][:12]), "12 left and 0 right texts"),
    ("sesa", "the same words everywhere"): (
        lambda t: (t[0], [[*row[:2], "the same words", *row[3:]] for row in t[1]]),
        "fewer than 10 texts with different words",
    ),
    ("t-jepa", "three columns"): (lambda t: (t[0][:3], [r[:3] for r in t[1]]), "3 columns, expected four or more"),
    ("t-jepa", "few rows"): (lambda t: (t[0], t[1][:59]), "59 rows, expected 60 or more"),
    ("t-jepa", "one value for all"): (lambda t: put(t, "all", NAMES[1], 2), "one value throughout"),
    ("t-jepa", "one word for all"): (lambda t: put(t, "all", NAMES[-1], "red"), "one value throughout"),
    ("t-jepa", "a missing word"): (lambda t: put(t, 5, NAMES[-1], ""), "line 7, column"),
    ("t-jepa", "names of persons"): (
        lambda t: (["id", *t[0]], [[f"p{k}", *row] for k, row in enumerate(t[1])]),
        "column 'id' has 120 different words, expected at most 30",
    ),
    ("t-jepa", "a word among numbers"): (lambda t: put(t, 5, NAMES[1], "much"), "line 7, column"),
    ("unsupervised-pretraining", "labels everywhere"): (
        lambda t: (t[0], t[1][:60]),
        "no row without a label, so nothing to pretrain on",
    ),
    ("unsupervised-pretraining", "no labels"): (lambda t: (t[0], t[1][60:]), "0 rows with a label, expected 10"),
    ("unsupervised-pretraining", "a sum of columns"): (
        lambda t: (["sum", *t[0]], [[row[0] + row[1], *row] for row in t[1]]),
        "columns determine each other",
    ),
    ("unsupervised-pretraining", "a class with one label"): (
        lambda t: put(t, 5, "label", "alone"),
        "class 'alone' has one label, expected 2 or more",
    ),
    ("unsupervised-pretraining", "a column of text"): (
        lambda t: put(t, "all", NAMES[1], "red"),
        "line 2, column",
    ),
    ("unsupervised-pretraining", "more factors than rows"): (
        lambda t: (t[0], [*t[1][:10], *t[1][60:64]]),
        "14 rows, expected more than n_factors = 15",
    ),
    ("unsupervised-pretraining", "one value for all"): (lambda t: put(t, "all", NAMES[1], 2), "one value throughout"),
}
ARRAYS = [slug for slug, path in EXAMPLES.items() if path.suffix == ".npz"]


def written(columns, rows) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()


def broken_tables(columns, rows, number) -> dict[str, bytes]:
    """Files that are no table of the form, by what is wrong with them."""
    text = written(columns, rows)
    lines = text.splitlines()
    files = {
        "a cell too many": "\n".join([*lines[:3], lines[3] + ",1", *lines[4:]]),
        "a cell too few": "\n".join([*lines[:3], lines[3].rpartition(",")[0], *lines[4:]]),
        "row numbers": "\n".join(f"{k or ''},{line}" for k, line in enumerate(lines)),
        "a name twice": written([*columns, columns[0]], [[*row, row[0]] for row in rows]),
        "an open quote": "\n".join([*lines[:3], '"' + lines[3], *lines[4:]]),
        "an empty cell": written(columns, [*rows[:2], ["", *rows[2][1:]], *rows[3:]]),
        "other columns": "a,b\n1,2\n",
        "names alone": lines[0],
        "semicolons": "\n".join(";".join(f"{cell}" for cell in row) for row in [columns, *rows]),
        "nothing": "",
        "blank lines": "\n\n",
    }
    if number:
        at = columns.index(number)
        files["text for a number"] = written(columns, [*rows[:2], [*rows[2][:at], "NA", *rows[2][at + 1 :]], *rows[3:]])
        files["infinity"] = written(columns, [*rows[:2], [*rows[2][:at], "inf", *rows[2][at + 1 :]], *rows[3:]])
    archive = io.BytesIO()
    np.savez(archive, x=np.ones(3))
    others = {"UTF-16": text.encode("utf-16"), "Latin-1": "é\n".encode("latin-1"), "an archive": archive.getvalue()}
    return {what: text.encode() for what, text in files.items()} | others


def saved(arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def broken_arrays(raw: bytes) -> dict[str, bytes]:
    """Files that are no arrays of the form, by what is wrong with them."""
    with np.load(io.BytesIO(raw)) as file:
        arrays = dict(file)
    key, first = next(iter(arrays.items()))
    inside = raw.index(b"\x93NUMPY") if b"\x93NUMPY" in raw else zipfile.ZipFile(io.BytesIO(raw)).start_dir // 2
    alone = io.BytesIO()
    np.save(alone, first)
    return {
        "half a file": raw[: len(raw) // 2],
        "a bit turned": raw[: inside + 200] + bytes([raw[inside + 200] ^ 1]) + raw[inside + 201 :],
        "a pickle": __import__("pickle").dumps(arrays),
        "pickles inside": saved({k: np.array([None, {}]) for k in arrays}),
        "text": saved({k: np.full(v.shape, "x") for k, v in arrays.items()}),
        "an array less": saved({k: v for k, v in arrays.items() if k != key}),
        "transposed": saved({k: v.T for k, v in arrays.items()}),
        "one transposed": saved(arrays | {key: first.T}),
        "an axis less": saved({k: v[0] for k, v in arrays.items()}),
        "not finite": saved(arrays | {key: np.where(np.arange(first.size).reshape(first.shape) == 7, np.nan, first)}),
        "no cases": saved({k: v[:0] for k, v in arrays.items()}),
        "an .npy": alone.getvalue(),
        "a table": b"a,b\n1,2\n",
        "nothing": b"",
    }


def answers(job: str, chapters: dict[str, list]) -> dict:
    """What readers.py gives for its job, by chapter."""
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "readers.py"],
        input=json.dumps({job: {slug: [*map(str, files)] for slug, files in chapters.items()}}),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[job]


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict:
    """What each chapter says of each broken file and of each valid one."""
    wanted = {}
    for slug in CHAPTERS:
        folder, corpus = tmp_path_factory.mktemp(slug), {}
        if slug in TABLES:
            columns, rows, number = TABLES[slug](np.random.default_rng(0))
            corpus |= {f"{what}.csv": raw for what, raw in broken_tables(columns, rows, number).items()}
            corpus["valid.csv"] = written(columns, rows).encode()
            for (chapter, what), (change, _) in FAULTS.items():
                if chapter == slug:
                    corpus[f"{what}.csv"] = written(*change((columns, rows, number))).encode()
        if slug in ARRAYS:
            corpus |= {f"{what}.npz": raw for what, raw in broken_arrays(EXAMPLES[slug].read_bytes()).items()}
            with np.load(EXAMPLES[slug]) as file:
                arrays = dict(file)
            for (chapter, what), (change, _) in FAULTS.items():
                if chapter == slug:
                    corpus[f"{what}.npz"] = saved(change(arrays))
        for name, raw in corpus.items():
            (folder / name).write_bytes(raw)
        files = [*corpus, "missing.csv", "missing.npz"]
        wanted[slug] = [*(folder / name for name in files), *([EXAMPLES[slug]] if slug in EXAMPLES else [])]
    return answers("read", wanted)


def test_the_corpus_covers_every_chapter_with_data():
    assert set(CHAPTERS) == {*TABLES, *ARRAYS}


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_broken_file_is_refused_in_one_line_that_names_it(slug, said):
    for file, line in said[slug]["said"].items():
        name = file.rpartition("/")[2]
        if name == "valid.csv" or file == str(EXAMPLES.get(slug)):
            assert line == "", f"{name} is refused: {line}"
        else:
            assert line.startswith(f"{name}: "), f"{name}: {line or 'is taken'}"
            assert line.isprintable()
        if name.startswith(("a cell", "text for", "infinity", "an empty cell", "an open quote")):
            assert "line 4" in line


@pytest.mark.parametrize(("slug", "what"), FAULTS)
def test_a_fault_of_its_own_is_named(slug, what, said):
    line = next(line for file, line in said[slug]["said"].items() if Path(file).stem == what)
    assert FAULTS[slug, what][1] in line


@pytest.mark.parametrize("slug", CHAPTERS)
def test_it_is_refused_before_any_long_work(slug, said):
    assert said[slug]["worked"] == []
    assert said[slug]["seconds"] < 5


@pytest.mark.parametrize("slug", ["mm-gpvae"])
def test_the_command_says_that_one_line(slug, tmp_path):
    bad = tmp_path / f"bad{'.npz' if slug in ARRAYS else '.csv'}"
    bad.write_text("a,b\n1,2\n")
    done = lvutils("run", slug, "-p", f"data={bad}", "--profile", "quick", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"DataError: {bad.name}: " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


ODD = sorted({*TABLES} - {"latent-label-shift"})


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> dict:
    """By chapter, the folder of its run on a table with odd names, and the error that ended it."""
    jobs = {}
    for slug in ODD:
        folder = tmp_path_factory.mktemp(slug)
        table = folder / "$x_1$ <b>.csv"
        columns, rows, _ = TABLES[slug](np.random.default_rng(0))
        table.write_text(written(columns, rows), encoding="utf-8")
        (folder / "out").mkdir()
        jobs[slug] = [table, folder / "out"]
    ends = answers("run", jobs)
    return {slug: (jobs[slug][1], ends[slug]) for slug in ODD}


@pytest.mark.parametrize("slug", ODD)
def test_odd_names_are_drawn_and_come_back_unchanged(slug, odd):
    out, error = odd[slug]
    assert error == ""
    assert "$x_1$ <b>" in read_json(out / "results.json")["data"]
    if slug not in {"ila-sdp", "explanation-disparities", "vluci"}:  # their results hold no names
        results = [read_table(file) for file in out.glob("*.csv")]
        columns, rows, _ = TABLES[slug](np.random.default_rng(0))
        names = {
            "cdsae": NAMES[:2],
            "linkorgs": [row[1] for row in rows],
            "latent-quantization": columns[:2],
            "pac-invariance": columns[:3],
            "unsupervised-pretraining": NAMES[:4],
        }.get(slug, NAMES)
        assert {*names} <= set().union(*(cells for table in results for cells in (table.columns, *table.rows)))


@pytest.mark.parametrize("slug", ["latent-label-shift", "mm-gpvae", "partslip-plus-plus"])
def test_the_example_runs_and_leaves_a_result_beside_the_run(slug, tmp_path):
    out = tmp_path / "out"
    done = lvutils("run", slug, "-p", f"data={EXAMPLES[slug]}", "--profile", "quick", "--out", out)
    assert done.returncode == 0, done.stderr
    assert slug in read_json(out / "results.json")["data"]
    assert {p.suffix for p in out.iterdir()} > {".ipynb", ".json"}  # the result, beside what every run leaves

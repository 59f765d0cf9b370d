"""Chapters that take a reader's data: the example of each runs, and a file of another form is refused at once."""

import pytest
from conftest import lvutils, read_json

from lvutils.paths import DATA
from lvutils.press import catalogue

EXAMPLES = sorted((DATA / "examples").iterdir()) if (DATA / "examples").is_dir() else []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_example_runs_and_leaves_a_result_beside_the_run(example, tmp_path):
    chapter = catalogue.find_written(example.stem)
    out = tmp_path / "out"
    done = lvutils("run", chapter.slug, "-p", f"data={example}", "--profile", "quick", "--out", out)
    assert done.returncode == 0, done.stderr
    assert example.stem in read_json(out / "results.json")["data"]
    assert {p.suffix for p in out.iterdir()} > {".ipynb", ".json"}  # the result, beside what every run leaves


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_a_file_of_another_form_is_one_line(example, tmp_path):
    bad = tmp_path / f"bad{example.suffix}"
    bad.write_text("a,b\n1,2\n")
    done = lvutils("run", example.stem, "-p", f"data={bad}", "--profile", "quick", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"DataError: {bad.name}: " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

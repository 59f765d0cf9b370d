"""Bad input: one clear line, exit code 2, nothing written, nothing heavy imported first."""

import errno
import subprocess
import sys

import pytest
from click.testing import CliRunner
from conftest import lvutils, make_notebook

from lvutils.press import catalogue, cli
from lvutils.press.notebook import dump


def tree(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "shfit=1"], "unknown parameter shfit; did you mean shift?"),
        (["-p", "shift=nine"], "parameter shift is 'nine', expected a float from -5 to 5"),
        (["-p", "shift=9"], "parameter shift is 9, expected a float from -5 to 5"),
        (["-p", "shift=nan"], "parameter shift is nan, expected a float from -5 to 5"),
        (["-p", "n_draws=2.5"], "parameter n_draws is 2.5, expected an int from 2 to 1000"),
        (["-p", "shift"], "-p 'shift': expected NAME=VALUE"),
        (["--profile", "bok"], "parameter profile is 'bok', expected one of quick, book, paper"),
        (["--seed", "-1"], "parameter seed is -1, expected an int from 0 to 1000000"),
        (["-p", "data=no-such.csv"], "parameter data is 'no-such.csv', expected one of iris, or the path of a file"),
        (["--out", "/dev/null/x/y"], "cannot write to /dev/null/x: Not a directory"),
    ],
)
def test_a_bad_call_is_one_line_and_leaves_nothing(mini, tmp_path, arguments, said):
    before = tree(tmp_path)
    out = [] if "--out" in arguments else ["--out", tmp_path / "out"]
    done = lvutils("run", mini, *arguments, *out)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "is not a Jupyter notebook"),
        ("{}", "is not a Jupyter notebook (KeyError: 'nbformat')"),
        ('{"nbformat": 3, "cells": []}', "not notebook format 4"),
        ('{"nbformat": 4, "cells": 7}', "is not a Jupyter notebook"),
        ("[" * 100_000, "is not a Jupyter notebook (ValueError: nested too deeply)"),
        (dump(make_notebook(("1 + 1", []))), "expected one cell tagged 'parameters', found 0"),
        (dump(make_notebook(("beta = 1", ["parameters"]))), "expected 'name: type = literal  # meaning; range'"),
    ],
)
def test_a_file_that_is_no_chapter_is_refused(tmp_path, text, said):
    path = tmp_path / "broken.ipynb"
    path.write_text(text)
    done = lvutils("run", path, "--out", tmp_path / "out")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_notebook_and_an_unknown_chapter_are_named(tmp_path):
    done = lvutils("run", tmp_path / "no.ipynb")
    assert (done.returncode, done.stderr.endswith("no.ipynb: No such file or directory\n")) == (2, True)
    done = lvutils("run", "posterior-colapse")
    assert done.returncode == 2
    assert done.stderr == "lvutils: unknown chapter 'posterior-colapse'; did you mean posterior-collapse?\n"
    done = lvutils("lint", "zzz")
    assert (done.returncode, done.stderr) == (2, "lvutils: unknown chapter 'zzz'; see: lvutils list --all\n")


def test_a_planned_chapter_says_so():
    planned = next(p for p in catalogue.papers() if not p.notebook.is_file())
    done = lvutils("run", planned.slug)
    assert (done.returncode, "is planned but not written yet" in done.stderr) == (2, True)


def test_an_occupied_folder_is_left_alone(mini, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("dear")
    for force in ([], ["--force"]):
        done = lvutils("run", mini, "--out", out, *force)
        assert (done.returncode, "which no run made; move it" in done.stderr) == (2, True)
    assert tree(out) == {out / "thesis.txt": b"dear"}


def test_new_does_not_overwrite_a_chapter():
    written = catalogue.written()[0]
    before = written.notebook.read_bytes()
    done = lvutils("new", written.slug)
    assert (done.returncode, "exists; nothing was written" in done.stderr) == (2, True)
    assert written.notebook.read_bytes() == before


def test_a_bad_call_is_answered_before_heavy_imports():
    code = "import sys; from lvutils.press import cli, execute; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split())
    assert "lvutils.press.execute" in loaded
    assert not loaded & {"torch", "numpy", "papermill", "nbclient", "nbformat", "pandas", "matplotlib", "sklearn"}


def test_a_place_that_cannot_be_written_and_seeds_without_end_are_found_out_first(mini, tmp_path):
    (tmp_path / "file").write_text("")
    done = lvutils("sweep", mini, "-p", "shift=1", "--runs", tmp_path / "file" / "runs")
    assert (done.returncode, "cannot write to" in done.stderr) == (2, True), done.stderr
    done = lvutils("sweep", mini, "--seeds", "0:1000000000")
    assert (done.returncode, "1000000000 seeds, expected at most 100000" in done.stderr) == (2, True)
    for result in (done,):
        assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [["run", "x\udcff.ipynb"], ["run", "ila-sdp", "-p", "data=x\udcff.csv"], ["compare", "x\udcff/ila-sdp"]],
)
def test_a_name_that_is_not_utf8_is_one_line(arguments):
    done = lvutils(*arguments)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "expected names in UTF-8; rename the file or folder" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "digits.json: not a JSON file"),
        ("[" * 100_000, "digits.json: not a JSON file (nested too deeply)"),
        ("[]", "digits.json: no name, title, n_parameters, quality in it"),
        ('{"name": "digits"}', "digits.json: no title, n_parameters, quality in it"),
    ],
)
def test_a_card_that_cannot_be_read_is_one_line(monkeypatch, tmp_path, text, said):
    monkeypatch.setattr(cli, "MODELS", tmp_path)
    (tmp_path / "digits.json").write_text(text)
    done = CliRunner().invoke(cli.main, ["list", "--models"])
    assert done.exit_code == 1
    assert said in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_place_that_takes_no_files_is_one_line(monkeypatch):
    def refuse():
        raise PermissionError(errno.EACCES, "Permission denied", "book/status.md")

    monkeypatch.setattr("lvutils.press.pages.write_pages", refuse)
    done = CliRunner().invoke(cli.main, ["pages"])
    assert done.exit_code == 1
    assert done.output == "lvutils: book/status.md could not be written: Permission denied\n"

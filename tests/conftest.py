"""A chapter small enough for tests, built as any other, and helpers to run the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lvutils.paths import ROOT
from lvutils.press.notebook import dump

PARAMETERS = """\
profile: str = "book"  # how long to run; one of quick, book, paper
seed: int = 0  # root of all random numbers; 0 to 1000000
shift: float = 1.0  # added to every draw; -5 to 5
n_draws: int = 50  # draws a run; 2 to 1000
pause: float = 0.0  # seconds a run idles; 0 to 60
trouble: str = "none"  # what goes wrong; one of none, raise, die, hang
data: str = "iris"  # table; one of iris, or a path to a CSV file
"""
BEGIN = """\
import os, time, warnings
from lvutils import begin
from lvutils.claims import Claim, Control, above, scorecard
from lvutils.data import load
from lvutils.stats import mean_interval
from lvutils.tables import load_table
run = begin("mini", globals())
"""
FINGERPRINT = """\
run.fingerprint(load(data) if data in ("iris",) else load_table(data))
"""
WORK = """\
if trouble == "raise":
    raise ValueError("planned\\nsecond line")
if trouble == "die":
    os._exit(9)
if trouble == "hang":
    time.sleep(600)
time.sleep(pause)
if n_draws < 3:
    warnings.warn("few draws", RuntimeWarning, stacklevel=1)
draws = shift + run.rng("draws").normal(size=n_draws)
run.record("mean", draws.mean(), unit="1")
run.record("closed_form", 2 * shift, exact=True)
effect, control = mean_interval(draws), mean_interval(draws - 20)
"""
SCORECARD = """\
card = scorecard(run, [
    Claim(f"C{k}", "Draws lie above.", paper="yes", source="Fig. 1", rule="mean above the bound", measured=effect,
          verdict=lambda m, bound=bound: above(m, bound), why="draws are small",
          control=Control("draws moved down", control), positive=Control("draws moved up", mean_interval(draws + 20)))
    for k, bound in ((1, 0.0), (2, -1.0), (3, 9.0))
])
"""


def make_notebook(*sources: tuple[str, list[str]]) -> dict:
    """A notebook of code cells that was not run: pairs of source and tags."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell{k}",
            "metadata": {"tags": tags},
            "source": source.rstrip("\n"),
            "outputs": [],
            "execution_count": None,
        }
        for k, (source, tags) in enumerate(sources)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="session")
def mini_notebook() -> dict:
    checked = ["nbval-check-output"]
    cells = [(PARAMETERS, ["parameters"]), (BEGIN, []), (FINGERPRINT, checked), (WORK, []), (SCORECARD, checked)]
    return make_notebook(*cells)


@pytest.fixture
def mini(tmp_path, mini_notebook) -> Path:
    """The small chapter, not run, in a folder of its own."""
    path = tmp_path / "chapters" / "mini.ipynb"
    path.parent.mkdir()
    path.write_text(dump(mini_notebook), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def stored_mini(tmp_path_factory, mini_notebook) -> Path:
    """The small chapter, refreshed: executed, with its results beside it. Copy it before changing it."""
    from lvutils.press import refresh as refreshing

    path = tmp_path_factory.mktemp("stored") / "mini.ipynb"
    path.write_text(dump(mini_notebook), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refreshing, "PATIENCE", 3)  # for a chapter that hangs
        refreshing.refresh([path], workers=2, report=lambda text: None)
    return path


def lvutils(*arguments: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """Call the command line as a person would."""
    import os

    return subprocess.run(
        [sys.executable, "-m", "lvutils.press.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def gone(condition, seconds: float = 30.0) -> bool:
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))

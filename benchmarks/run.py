"""Side-by-side timings: ours against what a person would do without it, in one run, as ratios.

    python benchmarks/run.py             all four
    python benchmarks/run.py sweep       24 quick runs of one chapter: lvutils sweep against a loop over papermill
    python benchmarks/run.py chapters    all chapters anew: what lvutils reproduce and refresh do, jupyter-book build
                                         with execution forced, and the limit: the sum of the times that the cells took
                                         in our run over the number of cores
    python benchmarks/run.py book        make book with nothing changed
    python benchmarks/run.py metrics     mutual information of 6 sources with 12 latents: lvutils.metrics against
                                         scikit-learn's estimator of the same quantity

Times are by the clock, so let nothing else run. What is compared takes turns, and each ratio is given with its range
over the turns; the plain ways take long, so there is one turn of "chapters" and as many of "sweep" as --turns says.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.feature_selection import mutual_info_classif

from lvutils.metrics import infomec, mutual_information
from lvutils.paths import ROOT
from lvutils.press import catalogue, execute
from lvutils.press.pool import Job, run_all

BIN = Path(sys.executable).parent
CORES = os.cpu_count()
AIMS = {"sweep": "at least 5", "chapters": "at most 1.1", "book": "at most 10 s", "metrics": "none set"}
CHAPTER = "posterior-collapse"

# Chapters only: the notebooks that train models take hours. And no limit of 30 s a cell.
FORCED = 'execute_notebooks: "force"\n  timeout: 600\n  exclude_patterns: ["notebooks/models/*"]'

PLAIN = """\
import sys
import papermill
for seed in range({n}):
    papermill.execute_notebook(sys.argv[1], sys.argv[2] + f"/{{seed}}.ipynb", kernel_name="python3",
        parameters={{"profile": "quick", "seed": seed}}, progress_bar=False, cwd=sys.argv[3])
"""


def seconds(command: list, **options) -> float:
    """Run a command to its end; how long it took by the clock. Stops the benchmark where it fails."""
    begun = time.perf_counter()
    done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(
            f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return time.perf_counter() - begun


def sweep(turns: int, n: int = 24) -> None:
    """(a) ``n`` quick runs of one chapter. Each plain loop stands between two sweeps and is compared with their mean:
    the speed of a shared machine drifts within the minutes that one takes.
    """
    notebook = catalogue.find_written(CHAPTER).notebook

    def ours() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return seconds(
                [BIN / "lvutils", "sweep", CHAPTER, "--profile", "quick", "--seeds", f"0:{n}", "--runs", folder]
            )

    before, ratios = ours(), []
    for turn in range(turns):
        with tempfile.TemporaryDirectory() as folder:
            plain = seconds([sys.executable, "-c", PLAIN.format(n=n), notebook, folder, notebook.parent])
        after = ours()
        ratios.append(plain / statistics.mean((before, after)))
        print(f"sweep, turn {turn + 1}: {n} runs, ours {before:.0f} s, plain loop {plain:.0f} s, ours {after:.0f} s")
        before = after
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f} over {turns} turns)" if turns > 1 else ""
    print(f"sweep: ours is {statistics.median(ratios):.2f} times as fast{spread}; aim {AIMS['sweep']}")


def cell_seconds(notebook: Path) -> float:
    """Time that the cells of an executed notebook took by the clock."""
    cells = json.loads(notebook.read_text())["cells"]
    return sum(cell["metadata"].get("papermill", {}).get("duration") or 0 for cell in cells)


def chapters() -> None:
    """(b) all chapters executed anew under their stored parameters."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = {p.slug: Job(execute.plan(p.notebook, {}), Path(folder, p.slug)) for p in catalogue.written()}
        begun = time.perf_counter()
        for _, result in run_all(jobs, CORES, "chapters"):
            result()
        ours = time.perf_counter() - begun
        limit = sum(cell_seconds(Path(folder, slug, "chapter.ipynb")) for slug in jobs) / CORES
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "book")
        ignored = shutil.ignore_patterns(".venv", ".git", "_build", "runs", "tests")
        shutil.copytree(ROOT, copy, ignore=ignored)
        config = copy / "_config.yml"
        config.write_text(config.read_text().replace('execute_notebooks: "off"', FORCED))
        plain = seconds([BIN / "jupyter-book", "build", copy, "--quiet"], env={**os.environ, "PYTHONPATH": str(copy)})
    print(f"chapters: jupyter-book {plain:.0f} s, ours {ours:.0f} s, cells / cores {limit:.0f} s")
    print(f"chapters: ours is {plain / ours:.2f} times as fast as jupyter-book")
    print(f"chapters: ours takes {ours / limit:.2f} of the limit; aim {AIMS['chapters']}")


def book() -> None:
    """(c) ``make book`` with nothing changed."""
    seconds(["make", "book"])
    again = [seconds(["make", "book"]) for _ in range(5)]
    print(
        f"book: unchanged {statistics.median(again):.2f} s ({min(again):.2f} to {max(again):.2f}); aim {AIMS['book']}"
    )


def metrics(turns: int = 5, n: int = 3000) -> None:
    """(d) the nearest-neighbour estimator that InfoMEC and MIG rest on, and the whole of InfoMEC."""
    rng = np.random.default_rng(0)
    sources = rng.integers(0, (6, 6, 3, 4, 5, 5), (n, 6))
    codes = sources[:, rng.integers(0, 6, 12)] + rng.normal(size=(n, 12))

    def plain():
        for source in sources.T:
            mutual_info_classif(codes, source, discrete_features=False, n_neighbors=10, random_state=0)

    timed = {"ours": lambda: mutual_information(sources, codes, discrete=False), "scikit-learn": plain}
    timed["InfoMEC"] = lambda: infomec(sources, codes, discrete=False)
    taken = {name: [] for name in timed}
    for _, (name, job) in itertools.product(range(turns), timed.items()):
        begun = time.perf_counter()
        job()
        taken[name].append(time.perf_counter() - begun)
    ratios = [b / a for a, b in zip(taken["ours"], taken["scikit-learn"], strict=True)]
    print(
        f"metrics: {n} rows, mutual information {statistics.median(taken['ours']):.3f} s, "
        f"{statistics.median(ratios):.1f} times as fast as scikit-learn's ({min(ratios):.1f} to {max(ratios):.1f}); "
        f"all of InfoMEC {statistics.median(taken['InfoMEC']):.2f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*AIMS, []], help="all where nothing is named")
    parser.add_argument("--turns", type=int, default=3, help="turns of the sweep")
    chosen = parser.parse_args()
    print(f"{CORES} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in chosen.what or AIMS:
        {"sweep": lambda: sweep(chosen.turns), "chapters": chapters, "book": book, "metrics": metrics}[name]()

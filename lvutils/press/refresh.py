"""Stored outputs: making them anew, and reporting what a fresh execution gives beside them."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from lvutils.files import write_json, write_text
from lvutils.press import run
from lvutils.press.errors import RunFailed
from lvutils.press.notebook import clean, dump, read_notebook, shown

OTHER_SEEDS = 5  # beside the stored one
EXACT_TOLERANCE = 1e-6  # relative: a closed form may move in its last digits between CPUs
LEAST_TOLERANCE = 1e-3  # relative: so may, by more, what was trained or counted, even where no seed changes it


def results_path(notebook: Path) -> Path:
    """Where the stored results of a chapter lie: beside it."""
    return notebook.with_suffix(".results.json")


def stored_results(notebook: Path) -> dict | None:
    """The stored results of a chapter, or None."""
    path = results_path(notebook)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def refresh(notebooks: Sequence[Path], workers: int, report: Callable[[str], None]) -> None:
    """Execute chapters under the ``book`` profile and store their outputs and results.

    Each runs under its own seed, whose outputs are stored, and under OTHER_SEEDS more, whose spread gives each
    figure's tolerance. A chapter's two files are replaced only when all its runs are done.
    Raises RunFailed, after the rest is done, naming the chapters that failed.
    """
    plans = {path: _seed_plans(path) for path in notebooks}
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        outs = {(path, k): Path(folder) / f"{path.stem}-{k}" for path in plans for k in range(OTHER_SEEDS + 1)}
        jobs = {key: (plans[key[0]][key[1]], out) for key, out in outs.items()}
        done: dict[Path, dict[int, dict]] = {path: {} for path in plans}
        for (path, k), future in run_all(jobs, workers, "refreshing"):
            try:
                done[path][k] = future.result()
            except RunFailed as error:
                failures.append(f"seed {plans[path][k].parameters['seed']} of {error}")
                continue
            if len(done[path]) == OTHER_SEEDS + 1:
                report(_store(path, outs[path, 0] / "chapter.ipynb", done[path]))
    if failures:
        raise RunFailed("\n".join(failures))


def reproduce(notebooks: Sequence[Path], workers: int, report: Callable[[str], None]) -> None:
    """Execute chapters from scratch and say, chapter by chapter, what differs from the stored results.

    Nothing is stored. Raises RunFailed where a chapter fails, a verdict differs or a figure leaves its tolerance.
    """
    jobs, bad = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for path in notebooks:
            jobs[path] = (run.plan(path, {}), Path(folder) / path.stem)
        for path, future in run_all(jobs, workers, "reproducing"):
            try:
                lines = differences(stored_results(path), future.result())
            except RunFailed as error:
                lines = [f"FAILED {error}"]
            if any(not line.startswith("within") for line in lines):
                bad.append(path.stem)
            report("\n  ".join([f"{path.stem}:", *(lines or ["all verdicts and figures are equal to the stored ones"])]))
    if bad:
        raise RunFailed(f"not reproduced: {', '.join(sorted(bad))}")


def differences(stored: dict | None, fresh: dict) -> list[str]:
    """What a fresh run gives other than the stored results, a line each; those within tolerance begin with "within"."""
    if stored is None:
        return ["no stored results"]
    lines = []
    verdicts = {c["id"]: c["verdict"] for c in fresh["claims"]}
    for claim in stored["claims"]:
        new = verdicts.pop(claim["id"], "missing")
        if new != claim["verdict"]:
            lines.append(f"verdict {claim['id']}: stored {claim['verdict']}, now {new}")
    lines += [f"verdict {id_}: not stored, now {new}" for id_, new in verdicts.items()]
    if stored["data"] != fresh["data"]:
        lines.append(f"data: stored {stored['data']}, now {fresh['data']}")
    for name in sorted(stored["figures"].keys() | fresh["figures"].keys()):
        if name not in fresh["figures"] or name not in stored["figures"]:
            lines.append(f"figure {name}: only in the {'stored' if name in stored['figures'] else 'fresh'} results")
            continue
        old, new = stored["figures"][name], fresh["figures"][name]["value"]
        if new != old["value"]:
            where = "within" if abs(new - old["value"]) <= old["tolerance"] else "OUTSIDE"
            lines.append(f"{where} tolerance {old['tolerance']:.2g}: {name} stored {old['value']:.6g}, now {new:.6g}")
    return lines


def tolerance(values: Sequence[float], exact: bool, n_figures: int = 1) -> float:
    """How far a figure may lie from the stored one, values[0].

    The half width of a 95 % prediction interval for the difference of two runs, from the spread over the seeds, that
    holds for all n_figures of a chapter at once (Bonferroni): $t_{1 - 0.025 / m, n-1}\\, s\\, \\sqrt 2$. Training may end
    elsewhere on another processor, and of a hundred figures five would else be out by chance. At least a thousandth
    of the figure's size. For a closed form, a millionth.
    """
    import numpy as np
    from scipy import stats

    floor = EXACT_TOLERANCE * max(abs(values[0]), 1.0)
    if exact:
        return floor
    spread = stats.t.ppf(1 - 0.025 / n_figures, len(values) - 1) * np.std(values, ddof=1) * np.sqrt(2)
    return max(floor, LEAST_TOLERANCE * abs(values[0]), float(spread))


def _seed_plans(path: Path) -> list[run.Plan]:
    own = run.plan(path, {})
    seed = own.parameters["seed"]
    return [own, *(run.plan(path, {"seed": seed + k}) for k in range(1, OTHER_SEEDS + 1))]


def run_all(jobs: dict, workers: int, what: str, **options) -> Iterable[tuple[object, Future]]:
    """Run jobs, each in a kernel of its own, ``workers`` at a time; yields (key, finished future) with a progress bar.

    jobs: key -> (plan, folder). options: passed on to :func:`lvutils.press.run.execute`. The longest come first, as far
    as stored results tell, so that no worker is left with a long one at the end.
    """
    from tqdm import tqdm

    from lvutils.press.provisioner import use

    use()
    jobs = dict(sorted(jobs.items(), key=lambda job: -_expected_seconds(job[1][0])))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(run.execute, todo, out, quiet=True, **options): key for key, (todo, out) in jobs.items()}
        try:
            for future in tqdm(as_completed(futures), total=len(futures), desc=what, unit="run", leave=False):
                yield futures[future], future
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _expected_seconds(todo: run.Plan) -> float:
    results = stored_results(todo.path)
    return results["run"]["cpu_seconds"] if results else 0.0


def _store(path: Path, executed: Path, by_seed: dict[int, dict]) -> str:
    """Write the chapter and its results; a report on them."""
    results = by_seed[0]
    runs = [by_seed[k] for k in sorted(by_seed)]
    n_figures = sum(not figure["exact"] for figure in results["figures"].values())
    for name, figure in results["figures"].items():
        values = [r["figures"][name]["value"] for r in runs if name in r["figures"]]
        figure["tolerance"] = tolerance(values, figure["exact"], n_figures)
    lines = []
    for claim in results["claims"]:
        verdicts = Counter(c["verdict"] for r in runs for c in r["claims"] if c["id"] == claim["id"])
        claim["over_seeds"] = dict(verdicts.most_common())
        lines.append(f"  {claim['id']} {claim['verdict']}  ({', '.join(f'{v} {k}' for k, v in verdicts.most_common())})")
    notebook = clean(read_notebook(executed))
    source = read_notebook(path)
    for cell, original in zip(notebook["cells"], source["cells"], strict=True):
        cell["id"] = original.get("id", cell["id"])
    write_text(path, dump(notebook))
    write_json(results_path(path), results)
    head = f"{shown(path)}: {results['run']['cpu_seconds']:.0f} s, {results['run']['memory_mib']} MiB, {len(results['figures'])} figures"
    return "\n".join([head, *lines])

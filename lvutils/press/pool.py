"""Many runs at once, each in a kernel of its own, on this machine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from lvutils.press import catalogue, execute
from lvutils.press.errors import KernelDied
from lvutils.record import RecordError, Results

TRIES = 3  # a worker that dies takes its neighbours' work along: all that is unfinished starts again so often


@dataclass(frozen=True)
class Job:
    """A run to do: its plan, its folder, what else :func:`lvutils.press.execute.execute` is told."""

    todo: execute.Plan
    out: Path
    options: dict = field(default_factory=dict)


def results_path(notebook: Path) -> Path:
    """Where the stored results of a chapter lie: beside it."""
    return notebook.with_suffix(".results.json")


def stored_results(notebook: Path) -> Results | None:
    """The stored results of a chapter, or None where there are none of this schema."""
    path = results_path(notebook)
    try:
        return Results.read(path) if path.is_file() else None
    except RecordError:
        return None


def reach(chapter: str, changed: Iterable[str]) -> str:
    """Which claims of a chapter the changed parameters can touch, in one line; empty where it is not known."""
    path = next((p.notebook for p in catalogue.written() if p.slug == chapter), None)
    stored = stored_results(path) if path else None
    changed = sorted(set(changed) - {"seed", "profile"})
    if not stored or not stored.book or not changed or not set(changed) <= set(stored.book.parameters):
        return ""
    out = stored.untouched(changed)
    can = [c.id for c in stored.claims if c.tested and c.id not in out]
    text = f"{', '.join(changed)} can touch {', '.join(can) or 'no claim'}"
    return f"{text}; not put to the test again: {', '.join(out)}" if out else text


def run_all(jobs: Mapping[object, Job], workers: int, what: str) -> Iterator[tuple[object, Callable[[], Results]]]:
    """Run jobs, ``workers`` at a time; yields (key, call) as they end, with a progress bar.

    The call gives the results, or raises what the run raised. The longest come first, as far as stored results tell, so
    that no worker is left with a long one at the end.
    """
    from tqdm import tqdm

    from lvutils.press.provisioner import use

    use()
    left = dict(sorted(jobs.items(), key=lambda item: -_expected_seconds(item[1].todo)))
    with tqdm(total=len(left), desc=what, unit="run", leave=False) as bar:
        for attempt in range(TRIES):
            with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
                futures = {
                    pool.submit(execute.execute, job.todo, job.out, quiet=True, **job.options): key
                    for key, job in left.items()
                }
                try:
                    for future in as_completed(futures):
                        if isinstance(future.exception(), BrokenProcessPool) and attempt < TRIES - 1:
                            continue
                        key = futures[future]
                        del left[key]
                        bar.update()
                        yield key, _told(future.result, jobs[key].todo)
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
            if not left:
                return


def _told(result: Callable[[], Results], todo: execute.Plan) -> Callable[[], Results]:
    def call() -> Results:
        try:
            return result()
        except BrokenProcessPool:
            raise KernelDied(f"{todo.path.stem}: the process that ran it was killed, {TRIES} times") from None

    return call


def _expected_seconds(todo: execute.Plan) -> float:
    results = stored_results(todo.path)
    same = results is not None and results.parameters.get("profile") == todo.parameters["profile"]
    return results.cost.cpu_seconds if same and results.cost else 0.0

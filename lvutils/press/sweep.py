"""Many runs of one chapter, on dask.distributed: a grid or a list of parameters, interrupted and taken up again."""

from __future__ import annotations

import contextlib
import csv
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lvutils.press import execute, provisioner
from lvutils.press.errors import KernelDied, Misuse, RunFailed
from lvutils.press.notebook import shown
from lvutils.press.pool import reach, stored_results
from lvutils.press.runstore import Store

# A kernel that dies may have been killed, or have met a full memory: twice more, then it is left for another day.
TRIES = 3
MOST = 100_000
FEW = 20  # finished runs that are read for an estimate
# For few, long tasks. Dask by default lines up a second task at each worker, which the other waits for in vain, and
# looks at itself so often that watching takes a thirteenth of the processors.
DASK = {
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}


def grid(values: Mapping[str, Sequence[str]], seeds: Sequence[int]) -> list[dict]:
    """All combinations of values, each with all seeds (none: the chapter's own)."""
    points = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
    return [{**point, "seed": seed} for point in points for seed in seeds] if seeds else points


def parse_seeds(text: str) -> list[int]:
    """``0:10`` (0 to 9) or ``0,3,7``. Raises Misuse."""
    try:
        first, colon, last = text.partition(":")
        seeds = range(int(first), int(last)) if colon else [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds:
        raise Misuse(f"--seeds {text!r}: expected FIRST:END, the end not included, or a list as 0,3,7")
    if len(seeds) > MOST:
        raise Misuse(f"--seeds {text!r}: {len(seeds)} seeds, expected at most {MOST}")
    return list(seeds)


def read_points(path: Path) -> list[dict]:
    """The rows of a CSV file with a header, as points. Raises Misuse naming the file and the line."""
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True)
        points = []
        for row in reader:
            if None in row or None in row.values():
                raise Misuse(f"{shown(path)}: line {reader.line_num} has not as many cells as the header")
            points.append({name.strip(): value.strip() for name, value in row.items()})
    except (OSError, ValueError, csv.Error) as error:
        raise Misuse(f"{shown(path)}: not a readable CSV file ({getattr(error, 'strerror', None) or error})") from None
    if not points:
        raise Misuse(f"{shown(path)}: no rows; expected a header of parameters and one line a run")
    return points


@dataclass
class Outcome:
    """What became of a sweep: how many runs were there and how many were done now; failed ones (name -> reason); and
    those lost with their kernel or worker.
    """

    there: int
    done: int
    failed: dict[str, str]
    lost: dict[str, str]


def sweep(
    path: Path,
    points: Sequence[Mapping],
    runs: str,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    retry_failed: bool = False,
    timeout: float | None = None,
    report: Callable[[str], None],
) -> Outcome:
    """Run a chapter at many points; those that are there already are left alone.

    path: the notebook. points: values by name, a run each. runs: the folder or fsspec address of all runs.
    workers: processes of a local cluster, one run at a time each. scheduler: address of a Dask scheduler to use
    instead; its workers need this project at the same state, and the same ``runs``. timeout: seconds a cell may take.
    Raises Misuse before anything starts.
    """
    if len(points) > MOST:
        raise Misuse(f"{len(points)} runs, expected at most {MOST}")
    plans = {todo.name: todo for todo in execute.plan_all(path, points)}
    store = Store(runs, path.stem)
    there, unreadable = store.readable(plans.keys() & store.names(""))
    for line in unreadable:
        report(f"counts as not finished: {line}")
    known = plans.keys() & store.names(".failed") - there
    if retry_failed:
        for name in known:
            store.forget_failure(name)
        known = set()
    todo = [plan for name, plan in plans.items() if name not in there | known]
    outcome = Outcome(len(there), 0, {n: store.read(f"{n}.failed", "error.txt").split("\n")[0] for n in known}, {})
    report(
        f"{len(plans)} runs, {len(there)} there already, {len(todo)} to do{_estimate(todo, store, workers, scheduler)}"
    )
    if line := reach(path.stem, {name for plan in plans.values() for name in plan.given}):
        report(line)
    if todo:
        with _client(workers, scheduler) as client:
            store.probe()
            if scheduler and not _workers(client):
                report(f"the scheduler at {scheduler} has no workers; waiting for one (Ctrl-C ends it)")
            _drive(client, todo, store, outcome, timeout)
    return outcome


def _workers(client) -> bool:
    """Whether a cluster has workers, or gets its first in a few seconds."""
    with contextlib.suppress(TimeoutError):
        client.wait_for_workers(1, timeout=5)
        return True
    return False


def _drive(client, todo: Sequence[execute.Plan], store: Store, outcome: Outcome, timeout: float | None) -> None:
    from distributed import CancelledError, as_completed
    from tqdm import tqdm

    # One group, which Dask keeps in a queue for whichever worker is free. A name of its own for each sweep: a cluster
    # that lives on must not hand out an earlier one's failure.
    group = f"{store.chapter}-{time.time_ns()}"
    names = [plan.name for plan in todo]
    submitted = client.map(
        work,
        [str(plan.path) for plan in todo],
        [plan.given for plan in todo],
        names,
        key=[(group, name) for name in names],
        runs=store.address,
        timeout=timeout,
    )
    futures = dict(zip(submitted, names, strict=True))
    with tqdm(total=len(futures), unit="run", desc=store.chapter, file=sys.stderr) as bar:
        for future in as_completed(futures):
            name = futures[future]
            try:
                state, message = future.result()
            except CancelledError:
                left = len(futures) - outcome.done - len(outcome.failed) - len(outcome.lost)
                raise RunFailed(
                    f"the scheduler went away, {left} runs are not done; with another, the command goes on from here"
                ) from None
            except Exception as error:  # KilledWorker, or what a worker could not read
                state, message = "lost", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            if state == "done":
                outcome.done += 1
            else:
                getattr(outcome, state)[name] = message
            bar.update()
            bar.set_postfix(failed=len(outcome.failed), left=bar.total - bar.n)


def work(path: str, given: dict, name: str, runs: str, timeout: float | None) -> tuple[str, str]:
    """One run, on a worker; "done", "failed" or "lost", and in one line why."""
    provisioner.use()
    todo = execute.plan(Path(path), given)
    if todo.name != name:
        return "lost", "the worker's project differs from this one (code, data or models)"
    store = Store(runs, todo.path.stem)
    if store.has(name):
        return "done", ""
    for _ in range(TRIES):
        try:
            store.execute(todo, timeout)
            return "done", ""
        except KernelDied as error:
            lost = str(error).split("; the notebook")[0]  # which is not kept: another try may go through
        except RunFailed as error:
            return "failed", str(error)
    return "lost", lost


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None):
    import logging

    if scheduler is None:
        provisioner.use()  # one warm process for all workers, importing while Dask is imported and they start
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security
    from distributed.utils import silence_logging_cmgr

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise Misuse(f"no Dask scheduler answers at {scheduler} ({type(error).__name__})") from None
        with silence_logging_cmgr(logging.CRITICAL), client:  # what it says of a lost scheduler fills a screen
            yield client
        return
    with (
        dask.config.set(DASK),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            protocol="tls://",
            security=Security.temporary(),  # or any user of this machine could run code as this one
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _estimate(todo: Sequence[execute.Plan], store: Store, workers: int, scheduler: str | None) -> str:
    """How long it may take, from earlier runs under the same profile, else from the stored results."""
    if not todo:
        return ""
    profile = todo[0].parameters["profile"]
    some, _ = store.results(most=FEW)
    earlier = [r.cost.cpu_seconds for r in some.values() if r.parameters["profile"] == profile]
    stored = stored_results(todo[0].path)
    if not earlier and stored and stored.parameters["profile"] == profile:
        earlier = [stored.cost.cpu_seconds]
    if not earlier:
        return "; no run under this profile yet to tell how long one takes"
    seconds = statistics.median(earlier)
    total = "" if scheduler else f", about {_duration(seconds * len(todo) / min(workers, len(todo)))} in all"
    return f"; one takes about {_duration(seconds)}{total}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

"""Stored outputs: making them anew, and reporting what a fresh execution gives beside them."""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from lvutils.files import write_text
from lvutils.paths import DATA
from lvutils.press import execute, links
from lvutils.press.errors import RunFailed
from lvutils.press.kernels import ARITHMETIC
from lvutils.press.notebook import clean, code_cells, dump, parameters_of, read_notebook, shown
from lvutils.press.pool import Job, results_path, run_all, stored_results
from lvutils.record import Moved, Results, pool
from lvutils.scorecard import scorecard_html, seeds_text, verdict_lines

QUICK = ("parameter", "end")  # kinds of runs under quick, which may fail
OTHER_SEEDS = 5  # beside the stored one
EXACT_FLOOR, FLOOR = 1e-6, 1e-4  # relative: a closed form may move in its last digits, what was trained by more
TIMES = 5  # the largest difference that other arithmetic made
PATIENCE = 60  # seconds that a cell may take under quick with a parameter changed
SLOW = "not waited for"  # which is no fault at the end of a range
CHAOTIC = 0.2  # a value that other arithmetic moves by more than this share of itself says little


def refresh(notebooks: Sequence[Path], workers: int, report: Callable[[str], None]) -> None:
    """Execute chapters under the ``book`` profile and store their outputs and results.

    Each runs under its own seed, whose outputs are stored; under OTHER_SEEDS more, with which its verdicts are pooled
    and its intervals checked; again under other ARITHMETIC, which gives each value's tolerance; and under ``quick``
    with each parameter changed once, which tells what it moves, and at the ends of its range. A chapter's two files
    are replaced only when all its runs are done. Raises RunFailed, after the rest is done, naming those that failed.
    """
    failures = []
    with tempfile.TemporaryDirectory(prefix="lv-") as folder:
        jobs: dict[tuple, Job] = {}
        for path in notebooks:
            for kind, job in _jobs(path, Path(folder)).items():
                jobs[(path, *kind)] = job
        done: dict[Path, dict[tuple, Results | str]] = {path: {} for path in notebooks}
        wanted = {path: sum(key[0] == path for key in jobs) for path in notebooks}
        for (path, *kind), result in run_all(jobs, workers, "refreshing"):
            try:
                done[path][tuple(kind)] = result()
            except RunFailed as error:
                done[path][tuple(kind)] = str(error)
                if kind[0] not in QUICK:
                    failures.append(f"{kind[0]} {kind[1]} of {error}")
            if len(done[path]) == wanted[path] and not any(
                isinstance(r, str) for k, r in done[path].items() if k[0] not in QUICK
            ):
                outs = {kind: jobs[path, *kind].out for kind in done[path]}
                report(_store(path, outs, done[path]))
    if failures:
        raise RunFailed("\n".join(failures))


def reproduce(
    notebooks: Sequence[Path],
    workers: int,
    report: Callable[[str], None],
    arithmetic: bool = False,
    widen: bool = False,
) -> None:
    """Execute chapters from scratch and say, chapter by chapter, what differs from the stored results.

    arithmetic: under each other ARITHMETIC, too. widen: take what this processor gives into the stored tolerances, as
    one more arithmetic, where code, data and verdicts are those of the stored results; else nothing is stored. Raises
    RunFailed where a chapter fails, a verdict on which the seeds agree differs, or a value leaves its tolerance.
    """
    jobs, bad = {}, []
    variants = [{}, *(ARITHMETIC if arithmetic else ())]
    with tempfile.TemporaryDirectory(prefix="lv-") as folder:
        for path in notebooks:
            for k, environment in enumerate(variants):
                job = Job(execute.plan(path, {}), Path(folder) / f"{path.stem}-{k}", {"environment": environment})
                jobs[path, k] = job
        for (path, k), result in run_all(jobs, workers, "reproducing"):
            title = path.stem + (" with " + " ".join(f"{a}={b}" for a, b in variants[k].items()) if k else "")
            try:
                stored, fresh = stored_results(path), result()
                lines = stored.differences(fresh) if stored else ["no stored results; run: lvutils refresh"]
                if widen and stored and stored.identity != fresh.identity:
                    lines.append("code, package, data or versions are not those of the stored results")
                elif (
                    widen and all(line.startswith(("within", "OUTSIDE")) for line in lines) and _take_in(stored, fresh)
                ):
                    lines = [f"widened: {line}" for line in lines if line.startswith("OUTSIDE")]
                    stored.write(results_path(path))
            except RunFailed as error:
                lines = [f"FAILED {error}"]
            if any(not line.startswith(("within", "widened")) for line in lines):
                bad.append(title)
            report("\n  ".join([f"{title}:", *(lines or ["all verdicts and values are equal to the stored ones"])]))
    if bad:
        raise RunFailed(f"differs from the stored results: {', '.join(bad)}")


def _take_in(stored: Results, fresh: Results) -> bool:
    """Widen the stored tolerances to what another processor gave, as `tolerance` would have; not where a closed form
    left its own, which no arithmetic excuses.
    """
    moved = {name: abs(fresh.values[name].value - v.value) for name, v in stored.values.items()}
    if any(v.exact and moved[name] > (v.tolerance or 0.0) for name, v in stored.values.items()):
        return False
    for name, value in stored.values.items():
        if not value.exact:
            value.tolerance = max(value.tolerance or 0.0, TIMES * moved[name])
    return True


def tolerance(value: float, repeated: Sequence[float], exact: bool) -> float:
    """How far a value may lie from the stored one in a run of the same seed.

    repeated: what the same seed gave under other arithmetic. A few times the largest difference, with a floor.
    """
    floor = EXACT_FLOOR * max(abs(value), 1.0) if exact else FLOOR * abs(value) + 1e-9
    return max(floor, TIMES * max((abs(r - value) for r in repeated), default=0.0))


def chaotic(results: Results) -> list[str]:
    """Names of the values that other arithmetic moves by more than a fifth of their size, and, effects, out of
    their interval.

    A difference near zero has no size of its own: that of a value is at least its spread over the seeds. Other
    arithmetic that training amplifies is one more training of the same seed, and how far another training may move
    an effect is what its interval says: so an effect near zero may move within it. (Where all noise is training's,
    over n trainings, such a move is .62 of half the width at n = 10.)
    """
    size = {name: max(abs(v.value), v.spread or 0.0) for name, v in results.values.items()}
    for claim in results.claims:
        worlds = {"": claim, " control": claim.control, " positive": claim.positive}
        for world, name, e in ((w, n, e) for w, found in worlds.items() if found for n, e in found.measured.items()):
            full = f"{claim.id}{world}: {name}" if name else f"{claim.id}{world}"
            size[full] = max(size.get(full, 0.0), (e.high - e.low) / 2 / CHAOTIC)
    least = TIMES * EXACT_FLOOR
    return [n for n, v in results.values.items() if (v.tolerance or 0) > max(TIMES * CHAOTIC * size[n], least)]


def _jobs(path: Path, folder: Path) -> dict[tuple, Job]:
    own = execute.plan(path, {})
    seed = own.parameters["seed"]
    jobs = {("seed", 0): Job(own, folder / f"{path.stem}-seed-0")}
    for k in range(1, OTHER_SEEDS + 1):
        jobs["seed", k] = Job(execute.plan(path, {"seed": seed + k}), folder / f"{path.stem}-seed-{k}")
    for k, environment in enumerate(ARITHMETIC):
        jobs["arithmetic", k] = Job(own, folder / f"{path.stem}-arithmetic-{k}", {"environment": environment})
    jobs["parameter", ""] = Job(execute.plan(path, {"profile": "quick"}), folder / f"{path.stem}-quick")
    for name, others in _others(path).items():
        plan = execute.plan(path, _changed(path, name, others[0]))
        jobs["parameter", name] = Job(plan, folder / f"{path.stem}-quick-{name}", {"timeout": PATIENCE})
    for k, (text, name, value) in enumerate(_ends(path)):
        plan = execute.plan(path, {"profile": "quick", name: value})
        jobs["end", text] = Job(plan, folder / f"{path.stem}-end-{k}", {"timeout": PATIENCE})
    return jobs


def _ends(path: Path) -> list[tuple[str, str, object]]:
    """The ends of each parameter's range: as text, the parameter's name, the value."""
    declared = parameters_of(read_notebook(path), path.stem)
    return [(f"{n}={v}", n, v) for n, p in declared.items() if n not in ("profile", "seed") for v in p.ends()]


def _trouble(result: Results | str, out: Path) -> str:
    """What went wrong in a run at the end of a range, in one line: an error, a warning; empty where nothing did."""
    if isinstance(result, str):
        return SLOW if "took longer than" in result else result.split("; the notebook")[0]
    outputs = [o for _, cell in code_cells(read_notebook(out / "chapter.ipynb")) for o in cell["outputs"]]
    said = "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream" and o["name"] == "stderr")
    warned = [line.partition(": ")[2] for line in said.splitlines() if re.match(r"\S+:\d+: \w*Warning: ", line)]
    return (warned or said.strip().splitlines() or [""])[0]


def _example(path: Path, name: str) -> Path | None:
    """The book's example of a reader's file: under the chapter's name; a second file adds its parameter's."""
    stem = path.stem if name == "data" else f"{path.stem}-{name}"
    return next((DATA / "examples").glob(f"{stem}.*"), None)


def _changed(path: Path, name: str, value: object) -> dict[str, object]:
    """A quick run with one parameter changed; a reader's second file comes with the first, which it is about."""
    first = _example(path, "data") if name != "data" and value == str(_example(path, name)) else None
    return {"profile": "quick", name: value} | ({"data": str(first)} if first else {})


def _others(path: Path) -> dict[str, list[object]]:
    """Other values for each parameter but profile and seed; for a reader's file the example that the book has."""
    found = {}
    for name, p in parameters_of(read_notebook(path), path.stem).items():
        example = _example(path, name) if p.path else None
        others = [str(example)] if example else p.others()
        if name not in ("profile", "seed") and others:
            found[name] = others
    return found


def _move(path: Path, base: Results, done: dict[tuple, Results | str]) -> dict[str, Moved]:
    """What each parameter moves. Where the chapter refuses a value, as one that another parameter bounds, or the value
    is what the profile takes anyway and moves nothing, the next is tried.
    """
    moved = {}
    for name, others in _others(path).items():
        moved[name] = _moved(base.parameters[name], others[0], base, done["parameter", name])
        for other in others[1:2]:
            if moved[name].n_values and not moved[name].failed:
                break
            try:
                with tempfile.TemporaryDirectory(prefix="lv-") as folder:
                    todo = execute.plan(path, _changed(path, name, other))
                    result = execute.execute(todo, Path(folder, "run"), quiet=True, timeout=PATIENCE)
            except RunFailed as error:
                result = str(error)
            again = _moved(base.parameters[name], other, base, result)
            if not again.failed or moved[name].failed:
                moved[name] = again
    return moved


def _moved(default: object, other: object, base: Results, result: Results | str) -> Moved:
    if isinstance(other, str) and "/" in other:
        other = shown(Path(other))
    if isinstance(result, str):
        return Moved(default, other, [], 0, failed=result.split("; the notebook")[0])
    effects = {(id_, name): e for id_, name, e in base.effects()}
    now = {(id_, name): e for id_, name, e in result.effects()}
    claims = [
        c.id
        for c in base.claims
        if any(now.get(key) != effects.get(key) for key in effects.keys() | now.keys() if key[0] == c.id)
        or c.rule_verdict != next((d.rule_verdict for d in result.claims if d.id == c.id), "")
    ]
    values = {n: v.value for n, v in base.values.items()}, {n: v.value for n, v in result.values.items()}
    return Moved(
        default, other, claims, sum(values[0].get(n) != values[1].get(n) for n in values[0].keys() | values[1].keys())
    )


def _store(path: Path, outs: dict[tuple, Path], done: dict[tuple, Results | str]) -> str:
    """Write the chapter and its results; a report on them. outs: the folder of each run."""
    runs = [done["seed", k] for k in range(OTHER_SEEDS + 1)]
    repeated = [done["arithmetic", k] for k in range(len(ARITHMETIC))]
    results = runs[0]
    for name, value in results.values.items():
        over_seeds = [r.values[name].value for r in runs if name in r.values]
        value.spread = statistics.stdev(over_seeds) if len(over_seeds) > 1 else 0.0
        others = [r.values[name].value for r in repeated if name in r.values]
        value.tolerance = tolerance(value.value, others, value.exact)
    results.book = pool(runs, repeated)
    base = done["parameter", ""]
    if isinstance(base, Results):
        results.book.parameters = _move(path, base, done)
    results.book.ends = {kind[1]: _trouble(r, outs[kind]) for kind, r in done.items() if kind[0] == "end"}
    notebook = clean(read_notebook(outs["seed", 0] / "chapter.ipynb"))
    source = read_notebook(path)
    for cell, original in zip(notebook["cells"], source["cells"], strict=True):
        cell["id"] = original.get("id", cell["id"])
    links.number(notebook)
    _show_pooled(notebook, results)
    write_text(path, dump(notebook))
    results.write(results_path(path))
    return "\n".join(_report(path, results, base))


def _show_pooled(notebook: dict, results: Results) -> None:
    """Put the book's verdicts where the run printed and showed its own."""
    own, pooled = verdict_lines(results.claims, None), verdict_lines(results.claims, results)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                output["text"] = output["text"].replace("\n".join(own) + "\n", "\n".join(pooled) + "\n")
            elif 'class="lv-scorecard"' in output.get("data", {}).get("text/html", ""):
                output["data"]["text/html"] = scorecard_html(results.claims, results.book.claims)
                plain = (f"{c.id} {results.verdict(c)}: {c.claim}" for c in results.claims)
                output["data"]["text/plain"] = "\n".join(plain)


def _report(path: Path, results: Results, base: Results | str) -> list[str]:
    shares = sorted(v.tolerance / abs(v.value) for v in results.values.values() if v.value)
    tight = sum(share < 0.01 for share in shares)
    cost = results.cost
    lines = [
        (
            f"{shown(path)}: {cost.cpu_seconds:.0f} s, {cost.memory_mib} MiB, {len(results.values)} values, {tight} of "
            f"{len(shares)} with a tolerance under 1 %, the largest {shares[-1] if shares else 0:.2g} of its value"
        )
    ]
    for claim in results.claims:
        verdicts = results.book.claims[claim.id]
        inside = ", ".join(f"{name or 'effect'} {k} of {n}" for name, (k, n) in verdicts.inside.items())
        control = f"; control {claim.control.verdict}" if claim.control else ""
        control += f"; positive control {claim.positive.verdict}" if claim.positive else ""
        lines.append(
            f"  {claim.id} {verdicts.verdict}  ({seeds_text(claim, verdicts)}{control}; "
            f"inside: {inside or 'no seed moves it'})"
        )
    for name, moved in results.book.parameters.items():
        lines.append(
            f"  {name} -> {moved.other}: moves {', '.join(moved.claims) or 'no claim'}, {moved.n_values} values"
            f"{moved.failed and ': ' + moved.failed}"
        )
    lines += [f"  {end}: {trouble}" for end, trouble in results.book.ends.items() if trouble]
    if isinstance(base, str):
        lines.append(f"  quick: {base}")
    return lines

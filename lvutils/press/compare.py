"""Comparing runs of one chapter: a tidy table, and a report that is itself a notebook run by papermill."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from lvutils.files import write_bytes, write_text
from lvutils.parameters import nearest
from lvutils.press import catalogue
from lvutils.press.errors import Misuse, RunFailed
from lvutils.press.kernels import short_folder
from lvutils.press.pool import reach, stored_results
from lvutils.press.runstore import Store
from lvutils.scorecard import seeds_text

REPORT = Path(__file__).with_name("report.ipynb")


def table(address: str, report: Callable[[str], None] = lambda text: None) -> pd.DataFrame:
    """All finished runs of one chapter, one row each.

    address: the folder of the chapter's runs, ``runs/SLUG``, a path or an fsspec address. Columns: ``run`` (its name),
    ``parameter NAME``, ``value NAME``, ``verdict C1`` ..., ``cpu_seconds``. Runs of
    another state of chapter, package, data or models, or under other versions, are no further seeds: those of the
    newest state are taken (of a day's, the one with most runs), and ``report`` is told what was left out, and which
    claims the swept parameters can touch. Raises Misuse where there are none.
    """
    parent, _, chapter = address.rstrip("/").rpartition("/")
    results, unreadable = Store(parent or ".", chapter).results()
    for line in unreadable:
        report(f"left out {line}")
    if not results:
        raise Misuse(f"{address}: no finished runs there; expected the folder of one chapter's runs, as runs/SLUG")
    states = {name: (*sorted(r.identity.items()), *sorted(r.cost.versions.items())) for name, r in results.items()}
    dates = {state: max(results[n].cost.date for n in results if states[n] == state) for state in states.values()}
    kept = max(dates, key=lambda state: (dates[state], list(states.values()).count(state)))
    if len(dates) > 1:
        n_kept = list(states.values()).count(kept)
        report(
            f"runs of {len(dates)} states (code, package, data, models, versions); comparing the {n_kept} of the "
            f"newest ({dates[kept]}), leaving out {len(states) - n_kept}"
        )
    rows = []
    for name, result in results.items():
        if states[name] != kept:
            continue
        row = {"run": name}
        row |= {f"parameter {k}": _cell(v) for k, v in result.parameters.items()}
        row |= {f"value {k}": v.value for k, v in result.values.items()}  # noqa: PD011
        row |= {f"verdict {c.id}": c.verdict for c in result.claims}
        rows.append(row | {"cpu_seconds": result.cost.cpu_seconds})
    frame = pd.DataFrame(rows)
    if line := reach(chapter, swept(frame)):
        report(line)
    return frame.sort_values([c for c in frame if c.startswith("parameter ")], ignore_index=True)


def _cell(value: object) -> object:
    """A parameter's value as a cell of the table; a list becomes text, which can be grouped by and sorted."""
    return ",".join(map(str, value)) if isinstance(value, list) else value


def swept(frame: pd.DataFrame) -> list[str]:
    """Names of the parameters that differ between the runs of a :func:`table`, the seed left out."""
    names = [c.removeprefix("parameter ") for c in frame if c.startswith("parameter ")]
    return [name for name in names if name != "seed" and len(set(frame[f"parameter {name}"])) > 1]


def compare(address: str, out: Path, by: str | None, value: str | None, report: Callable[[str], None]) -> Path:
    """Write ``runs.csv``, ``runs.parquet`` and ``report.html`` into the folder ``out``; the report's path.

    by, value: a parameter and a recorded value, to plot that one alone. Raises Misuse, RunFailed.
    """
    frame = table(address, report)
    values = [c.removeprefix("value ") for c in frame if c.startswith("value ")]
    parameters = [c.removeprefix("parameter ") for c in frame if c.startswith("parameter ")]
    for name, known, what in ((by, parameters, "parameter"), (value, values, "value")):
        if name is not None and name not in known:
            raise Misuse(f"unknown {what} {name}{nearest(name, known)}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "runs.csv", frame.to_csv(index=False))
        write_bytes(out / "runs.parquet", frame.to_parquet(index=False))
    except OSError as error:
        raise Misuse(f"cannot write to {out}: {error.strerror or error}") from None
    chapter = address.rstrip("/").rpartition("/")[2]
    about = json.dumps(_about(address, chapter, frame, out))
    write_text(out / "report.html", _html(out / "runs.parquet", chapter, by, value, about))
    report(f"{len(frame)} runs: {out / 'runs.csv'}, {out / 'runs.parquet'}, {out / 'report.html'}")
    return out / "report.html"


def _about(address: str, chapter: str, frame: pd.DataFrame, out: Path) -> dict:
    """What the report says beside the table: the claims, the book's verdicts and values with their units, and links to
    the runs where they are on this machine.
    """
    store = Store(address.rstrip("/").rpartition("/")[0] or ".", chapter)
    one = store.results(most=1)[0]
    path = next((p.notebook for p in catalogue.written() if p.slug == chapter), None)
    stored = stored_results(path) if path else None
    about = next(iter(one.values()), stored)
    book = {c.id: f"{stored.verdict(c)}, {seeds_text(c, stored.book.claims[c.id])}" for c in stored.claims
            if stored.book and c.id in stored.book.claims} if stored else {}  # fmt: skip
    return {
        "claims": {c.id: [c.claim, c.rule, book.get(c.id, "")] for c in about.claims},
        "units": {name: v.unit for name, v in about.values.items()},  # noqa: PD011
        "book": {name: v.value for name, v in stored.values.items()} if stored else {},  # noqa: PD011
        "runs": {r: os.path.relpath(f"{store.root}/{r}/chapter.ipynb", out) for r in frame["run"]}
        if store.local
        else {},
    }


def _html(parquet: Path, chapter: str, by: str | None, value: str | None, about: str) -> str:
    """The report, one file that asks for nothing from elsewhere."""
    import nbformat
    import papermill
    from nbconvert import HTMLExporter
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    given = {"table": str(parquet.resolve()), "chapter": chapter, "by": by or "", "value": value or "", "about": about}
    with short_folder() as folder:
        executed = Path(folder, "report.ipynb")
        try:
            papermill.execute_notebook(
                str(REPORT),
                str(executed),
                parameters=given,
                kernel_name="python3",
                progress_bar=False,
                cwd=folder,
                config=Config(KernelManager={"transport": "ipc", "ip": f"{folder}/k"}),
            )
        except PapermillExecutionError as error:
            raise RunFailed(f"the report: {error.ename}: {error.evalue}") from None
        notebook = nbformat.read(executed, 4)
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(notebook)
    return _PAGE.format(title=html.escape(f"Runs of {chapter}"), body=body)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
img {{ max-width: 100%; background: white; border-radius: 4px; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.2rem 0.7rem; border-bottom: 1px solid #8886; text-align: right; }}
th {{ font-weight: 600; }}
th:first-child, td:first-child {{ text-align: left; }}
.anchor-link {{ display: none; }}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

"""Running one chapter with papermill, without ever touching its source."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from lvutils.files import read_json, sync_folder, write_json, write_text
from lvutils.parameters import ParameterError, check_values, nearest
from lvutils.press.errors import KernelDied, Misuse, RunFailed
from lvutils.press.identity import identity, run_name
from lvutils.press.kernels import RUN_ENVIRONMENT, own_settings, short_folder, used
from lvutils.press.notebook import code_cells, parameters_of, read_notebook, shown
from lvutils.record import Cost, RecordError, Results

_version = cache(metadata.version)
CELL_TIMEOUT = {"quick": 120, "book": 600, "paper": None}  # seconds a cell may take before it counts as hung


@dataclass(frozen=True)
class Plan:
    """A run that has been checked and can start.

    ``path`` is the notebook, ``parameters`` are all its values, ``given`` those that differ from what it declares,
    ``identity`` what all runs of the chapter share, and ``name`` the hash of all that the results depend on.
    """

    path: Path
    notebook: dict
    parameters: dict
    given: dict
    identity: dict
    name: str


def plan(path: Path, given: Mapping[str, str | object]) -> Plan:
    """Check a run before anything starts.

    given: values by name; text is parsed as the parameter's declared type. Raises Misuse, one line.
    """
    return plan_all(path, [given])[0]


def plan_all(path: Path, points: Sequence[Mapping[str, str | object]]) -> list[Plan]:
    """Check several runs of a chapter before any starts, as :func:`plan` does. Raises Misuse for the first bad one."""
    notebook = read_notebook(path)
    declared = parameters_of(notebook, shown(path))
    shared = identity(notebook, path.stem)
    plans = []
    for given in points:
        values, files = {}, []
        try:
            for name, value in given.items():
                if name not in declared:
                    raise ParameterError(f"unknown parameter {name}{nearest(name, declared)}")
                parameter = declared[name]
                value = parameter.parse(value) if isinstance(value, str) else parameter.check(value)
                if parameter.path and value not in parameter.choices:
                    files.append(Path(value).resolve())
                    value = str(files[-1])  # the kernel's working folder is another one
                values[name] = value
            parameters = check_values(declared, values)
            name = run_name(shared, parameters, files)
        except ParameterError as error:
            raise Misuse(f"{path.stem}: {error}") from None
        except OSError as error:
            raise Misuse(f"{path.stem}: {shown(Path(error.filename))}: {error.strerror}") from None
        plans.append(Plan(path, notebook, parameters, values, shared, name))
    return plans


def execute(
    todo: Plan,
    out: Path,
    *,
    timeout: float | None = None,
    bar: bool = False,
    quiet: bool = False,
    train: bool = False,
    scored: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Results:
    """Run a planned chapter into the folder ``out``; its results.

    ``out`` appears only when the run is complete, holding ``chapter.ipynb``, ``parameters.json``, ``environment.json``
    and ``results.json``. A failed run leaves ``out`` with the suffix ``.failed``, holding the notebook up to the
    failing cell and ``error.txt`` in place of results.

    timeout: seconds a cell may take (None: the profile's own). bar: show progress over the cells. quiet: no progress
    bars inside the notebook. train: models are trained anew and stored into ``out``, which may take its time. scored:
    False for a notebook that trains a model in place of judging claims. environment: set for the kernel alone.
    Raises Misuse for a folder that cannot be written, RunFailed for a run that fails, KernelDied (a RunFailed) for one
    whose kernel was lost.
    """
    out = out.resolve()
    here = f".{out.name}.{platform.node()}."
    part = out.with_name(f"{here}{os.getpid()}")
    failed = out.with_name(f"{out.name}.failed")
    for folder in (out, failed):
        if (name := foreign(folder)) is not None:
            raise Misuse(f"{shown(folder)} holds {name}, which no run made; move it, or give another folder")
    _clear(out.parent, here)
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise Misuse(f"cannot write to {shown(out.parent)}: {error.strerror or error}") from None
    try:
        write_json(part / "parameters.json", todo.parameters)
        made = {"date": time.strftime("%Y-%m-%d"), "versions": versions()}
        write_json(part / "environment.json", made)
        variables = {"LVUTILS_RESULTS": str(part / "results.json"), **(environment or {})}
        if train:
            variables["LVUTILS_TRAIN"] = str(part)
        if quiet:
            variables["LVUTILS_QUIET"] = "1"
        before = used()
        limit = timeout or (None if train else CELL_TIMEOUT[todo.parameters["profile"]])
        message, raised = None, RunFailed
        try:
            message = _papermill(todo, part, limit, bar, variables)
        except KernelDied as error:
            message, raised = str(error), KernelDied
        after = used()
        results = None
        if message is None and not scored:
            results = Results(todo.path.stem, todo.parameters, {}, {}, {}, [])
        elif message is None:
            try:
                results = Results.read(part / "results.json")
            except RecordError as error:
                message = f"the notebook ran to its end without a scorecard ({error})"
        if results is None:
            write_text(part / "error.txt", "\n".join([message, *_traceback(part / "chapter.ipynb")]) + "\n")
            _sign(part, made)
            shutil.rmtree(failed, ignore_errors=True)
            part.replace(failed)
            raise raised(f"{todo.path.stem}: {message}; the notebook up to there is {shown(failed / 'chapter.ipynb')}")
        results.name, results.identity = todo.name, todo.identity
        cpu, memory = round(after[0] - before[0], 1), after[1] // 1024
        results.cost = Cost(cpu, memory, time.strftime("%Y-%m-%d"), versions())
        results.write(part / "results.json")
        _sign(part, made)
        if out.exists():
            shutil.rmtree(out)
        part.replace(out)
        shutil.rmtree(failed, ignore_errors=True)
        return results
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _clear(folder: Path, start: str) -> None:
    """Remove what processes of this machine left that were killed in the midst of a run."""
    for left in folder.iterdir() if folder.is_dir() else ():
        number = left.name.removeprefix(start)
        if left.name.startswith(start) and number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)


OWN_FILES = {"chapter.ipynb", "parameters.json", "environment.json", "results.json", "error.txt"}


def foreign(folder: Path) -> str | None:
    """The name of something in a folder that no run made; None where a run made all of it, or it is empty."""
    if folder.is_file():
        return "something that is no folder"
    if not folder.is_dir():
        return None
    try:
        known = set(read_json(folder / "environment.json", ["files"])["files"])
    except (ValueError, TypeError):
        known = set()
    found = sorted(path.name for path in folder.iterdir())
    if not (set(found) & {"results.json", "error.txt"} or not found):
        return found[0]
    return next((name for name in found if name not in known | OWN_FILES), None)


def _sign(folder: Path, made: dict) -> None:
    """Add to what a run was made with the names of all files that it left, so that it may be replaced by another."""
    write_json(folder / "environment.json", {**made, "files": sorted(path.name for path in folder.iterdir())})
    sync_folder(folder)


def versions() -> dict[str, str]:
    """What a run is made with."""
    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "python": python,
        **{name: _version(name) for name in ("numpy", "scipy", "scikit-learn", "torch", "lvutils")},
    }


def _papermill(todo: Plan, part: Path, timeout: float | None, bar: bool, variables: Mapping[str, str]) -> str | None:
    """Run with papermill; None, or in one line what went wrong."""
    import logging
    import warnings

    # jsonschema would load a grammar of IRIs, which takes 1.6 s, for a check that no schema of notebooks asks for.
    sys.modules.setdefault("rfc3987_syntax", None)
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import papermill
        from papermill.engines import papermill_engines
        from papermill.exceptions import PapermillExecutionError

        from lvutils.press.engine import WriteOnce

    papermill_engines.register("lvutils", WriteOnce)
    for name in ("papermill", "asyncio"):  # what went wrong is told in one line, below
        logging.getLogger(name).setLevel(logging.CRITICAL)
    chapter = part / "chapter.ipynb"
    # Sockets in a folder of the run's own: over TCP, runs that start at once now and then take each other's port.
    with (
        short_folder() as sockets,
        _environment({**RUN_ENVIRONMENT, **own_settings(sockets), **variables}),
    ):
        try:
            papermill.execute_notebook(
                str(todo.path),
                str(chapter),
                parameters=todo.given,
                engine_name="lvutils",
                kernel_name="python3",
                progress_bar=bar,
                cwd=str(todo.path.parent),
                execution_timeout=timeout,
                start_timeout=120,
                config=Config(
                    KernelManager={"transport": "ipc", "ip": f"{sockets}/k"},
                    AsyncKernelManager={"client_class": "lvutils.press.engine.PromptClient"},
                    # Jupyter interrupts a kernel before it shuts it down; what is logged of that is nobody's news.
                    NotebookClient={"extra_arguments": ["--IPKernelApp.log_level=CRITICAL"]},
                ),
            )
        except PapermillExecutionError as error:
            number = error.cell_index + (0 if todo.given else 1)  # papermill puts its own cell before the failing one
            return f"cell {number} failed: {error.ename}: {_first_line(error.evalue)}"
        except CellTimeoutError:
            return f"cell {_begun(chapter, todo)} took longer than {timeout:g} s"
        except DeadKernelError:
            raise KernelDied(f"the kernel died in cell {_begun(chapter, todo)} (out of memory, or killed)") from None
        except RuntimeError as error:  # what nbclient raises where a kernel does not answer
            raise KernelDied(f"the kernel did not start: {_first_line(str(error))}") from None
    return None


def _begun(chapter: Path, todo: Plan) -> int:
    """The number in the chapter, from 1, of the last cell that papermill began."""
    cells = read_notebook(chapter)["cells"]
    last = max((n for n, c in enumerate(cells, 1) if c["metadata"].get("papermill", {}).get("start_time")), default=0)
    return last - (1 if todo.given else 0)  # papermill puts its own cell before it


def _first_line(text: str) -> str:
    return _plain(text).strip().split("\n")[0]


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _traceback(chapter: Path) -> list[str]:
    """The traceback that an executed notebook holds, without colours."""
    outputs = [o for _, cell in code_cells(read_notebook(chapter)) for o in cell["outputs"]]
    return [_plain(line) for o in outputs if o["output_type"] == "error" for line in o["traceback"]]


@contextmanager
def _environment(values: Mapping[str, str]):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

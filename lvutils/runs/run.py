"""Running one chapter with papermill, without ever touching its source."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lvutils.files import write_json
from lvutils.parameters import ParameterError, check_values, nearest
from lvutils.runs.errors import Misuse, RunFailed
from lvutils.runs.notebook import code_hash, parameters_of, read_notebook, run_hash, shown

# One thread a run: several runs share a machine, and threads reorder floating-point sums.
RUN_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
CELL_TIMEOUT = {"quick": 120, "book": 600, "paper": None}  # seconds a cell may take before it counts as hung


@dataclass(frozen=True)
class Plan:
    """A run that has been checked and can start. ``path`` is the notebook, ``parameters`` are all its values."""

    path: Path
    notebook: dict
    parameters: dict
    given: dict

    @property
    def name(self) -> str:
        """The run's name: the hash of all that its results depend on."""
        return run_hash(self.notebook, self.parameters)


def plan(path: Path, given: Mapping[str, str | object]) -> Plan:
    """Check a run before anything starts.

    given: values by name; text is parsed as the parameter's declared type. Raises Misuse, one line.
    """
    notebook = read_notebook(path)
    declared = parameters_of(notebook, shown(path))
    values = {}
    try:
        for name, value in given.items():
            if name not in declared:
                raise ParameterError(f"unknown parameter {name}{nearest(name, declared)}")
            parameter = declared[name]
            value = parameter.parse(value) if isinstance(value, str) else parameter.check(value)
            if parameter.path and value not in parameter.choices:
                value = str(Path(value).resolve())  # the kernel's working folder is another one
            values[name] = value
        parameters = check_values(declared, values)
    except ParameterError as error:
        raise Misuse(f"{path.stem}: {error}") from None
    return Plan(path, notebook, parameters, values)


def execute(
    todo: Plan,
    out: Path,
    *,
    timeout: float | None = None,
    bar: bool = False,
    quiet: bool = False,
    trains_model: bool = False,
) -> dict:
    """Run a planned chapter into the folder ``out``; its results.

    ``out`` appears only when the run is complete, holding ``chapter.ipynb`` and ``results.json``. A failed run leaves
    ``out`` with the suffix ``.failed``, holding the notebook up to the failing cell.

    timeout: seconds a cell may take (None: the profile's own). bar: show progress over the cells. quiet: no progress
    bars inside the notebook. trains_model: the notebook stores a model (into ``out``) in place of a scorecard, and may
    take its time. Raises Misuse for a folder that cannot be written, RunFailed for a run that fails.
    """
    out = out.resolve()
    part = out.with_name(f".{out.name}.{os.getpid()}")
    failed = out.with_name(f"{out.name}.failed")
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise Misuse(f"cannot write to {shown(out.parent)}: {error.strerror or error}") from None
    try:
        before = _children()
        limit = timeout or (None if trains_model else CELL_TIMEOUT[todo.parameters["profile"]])
        message = _papermill(todo, part, limit, bar, quiet)
        after = _children()
        results_file = part / "results.json"
        if trains_model and message is None:
            write_json(results_file, {"parameters": todo.parameters})
        if message is None and not results_file.is_file():
            message = "the notebook ran to its end without a scorecard"
        if message is not None:
            shutil.rmtree(failed, ignore_errors=True)
            part.replace(failed)
            raise RunFailed(f"{todo.path.stem}: {message}; the notebook up to there is {shown(failed / 'chapter.ipynb')}")
        results = json.loads(results_file.read_text(encoding="utf-8"))
        results["code"] = code_hash(todo.notebook)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        results["run"] = {"cpu_seconds": round(seconds, 1), "memory_mib": after.ru_maxrss // 1024, **versions()}
        write_json(results_file, results)
        if out.exists():
            shutil.rmtree(out)
        part.replace(out)
        shutil.rmtree(failed, ignore_errors=True)
        return results
    finally:
        shutil.rmtree(part, ignore_errors=True)


def versions() -> dict:
    """What a run was made with."""
    from importlib.metadata import version

    names = ("numpy", "scipy", "scikit-learn", "torch", "lvutils")
    python = ".".join(map(str, sys.version_info[:3]))
    return {"date": time.strftime("%Y-%m-%d"), "versions": {"python": python, **{n: version(n) for n in names}}}


def _papermill(todo: Plan, part: Path, timeout: float | None, bar: bool, quiet: bool) -> str | None:
    """Run with papermill; None, or in one line what went wrong."""
    import logging
    import warnings

    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import papermill
        from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    chapter = part / "chapter.ipynb"
    environment = {**RUN_ENVIRONMENT, "LVUTILS_RESULTS": str(part / "results.json"), "LVUTILS_MODELS": str(part)}
    if quiet:
        environment["LVUTILS_QUIET"] = "1"
    # Sockets in a folder of the run's own: over TCP, runs that start at once now and then take each other's port.
    with tempfile.TemporaryDirectory(prefix="lv-") as sockets, _environment(environment):
        try:
            papermill.execute_notebook(
                str(todo.path),
                str(chapter),
                parameters=todo.given,
                kernel_name="python3",
                progress_bar=bar,
                cwd=str(todo.path.parent),
                execution_timeout=timeout,
                start_timeout=120,
                config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/k"}),
            )
        except PapermillExecutionError as error:
            number = error.cell_index + (0 if todo.given else 1)  # papermill puts its own cell before the failing one
            return f"cell {number} failed: {error.ename}: {_first_line(error.evalue)}"
        except CellTimeoutError:
            return f"a cell took longer than {timeout:g} s"
        except DeadKernelError:
            return "the kernel died (out of memory, or killed)"
        except RuntimeError as error:  # what nbclient raises where a kernel does not answer
            return f"the kernel did not start: {_first_line(str(error))}"
    return None


def _first_line(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip().split("\n")[0]


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


def _children() -> resource.struct_rusage:
    """Processor time and peak memory of the kernels so far: unlike time by the clock, no matter how busy the machine is."""
    return resource.getrusage(resource.RUSAGE_CHILDREN)

"""The frame of a chapter: parameters, seeds, sizes of a profile, recorded figures.

A chapter's second code cell calls :func:`begin`; everything else hangs on the :class:`Run` that it returns.
"""

from __future__ import annotations

import json
import linecache
import math
import os
import random
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from lvutils.data import Dataset
from lvutils.files import write_json
from lvutils.parameters import PROFILES, ParameterError, check_values, parse_parameters
from lvutils.plot import use_style

if TYPE_CHECKING:
    import torch

RESULTS_SCHEMA = 1


class RecordError(RuntimeError):
    """A recorded figure or verdict left the tolerance of the stored results (raised in the test run only)."""


def begin(slug: str, namespace: Mapping[str, object]) -> Run:
    """Start a chapter: check its parameters, fix seeds and threads, set the plot style.

    slug: the chapter's name in the catalogue.
    namespace: ``globals()`` of the notebook, which holds the values. Names, types and ranges are read from the text of
    the parameters cell, so that they stand in one place only.

    Raises ParameterError, one line, for a parameter of the wrong type or out of range.
    """
    parameters = parse_parameters(_declaration(namespace.get("In", [])))
    values = check_values(parameters, {name: namespace[name] for name in parameters if name in namespace})
    return Run(slug, values)


class Run:
    """One execution of a chapter.

    Attributes: ``slug``, ``profile``, ``seed``, ``params`` (all parameters by name).
    """

    def __init__(self, slug: str, params: Mapping[str, object]):
        self.slug = slug
        self.params = dict(params)
        self.profile = params["profile"]
        self.seed = params["seed"]
        self._figures: dict[str, dict] = {}
        self._data: dict[str, str] = {}
        self._stored = _stored_results(slug, self.params)
        random.seed(self.seed)
        np.random.seed(self.seed)  # noqa: NPY002 - for libraries that still draw from the global state
        os.environ["OMP_NUM_THREADS"] = "1"  # threads reorder sums: results would differ from run to run
        threadpool_limits(1)  # the same for NumPy's BLAS, already loaded; on small matrices its threads only wait
        if torch := sys.modules.get("torch"):  # imported by the chapter; two seconds that others need not wait
            torch.set_num_threads(1)
            torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, which imports the compiler
            torch.manual_seed(self.seed)
        use_style()

    # --- sizes and random numbers -------------------------------------------------------------------------------

    def choose(self, **profiles: Mapping[str, object]) -> SimpleNamespace:
        """The sizes of this run's profile: ``choose(quick=dict(n=2), book=dict(n=5), paper=dict(n=20)).n``.

        Raises ValueError unless all three profiles are given with the same names: a profile changes sizes only.
        """
        if set(profiles) != set(PROFILES):
            raise ValueError(f"choose() takes {', '.join(PROFILES)}; got {', '.join(profiles) or 'nothing'}")
        names = {frozenset(sizes) for sizes in profiles.values()}
        if len(names) != 1:
            odd = set.union(*map(set, names)) - set.intersection(*map(set, names))
            raise ValueError(f"choose(): each profile must set the same names; {', '.join(sorted(odd))} is not in all")
        return SimpleNamespace(**profiles[self.profile])

    def rng(self, *key: str | int) -> np.random.Generator:
        """A NumPy generator of its own for each key, ``run.rng("digits", 3)``; different keys are independent."""
        return np.random.default_rng(self._seed_sequence(key))

    def torch_rng(self, *key: str | int) -> torch.Generator:
        """A torch generator of its own for each key."""
        import torch

        return torch.Generator().manual_seed(self._torch_seed(key))

    def seed_torch(self, *key: str | int) -> None:
        """Seed torch's global generator, from which modules draw their first weights."""
        import torch

        torch.manual_seed(self._torch_seed(key))

    def _seed_sequence(self, key) -> np.random.SeedSequence:
        words = [zlib.crc32(k.encode()) if isinstance(k, str) else int(k) for k in key]
        return np.random.SeedSequence(self.seed, spawn_key=words)

    def _torch_seed(self, key) -> int:
        return int(self._seed_sequence(key).generate_state(1, np.uint64)[0] >> 1)

    # --- what the run leaves behind -----------------------------------------------------------------------------

    def fingerprint(self, dataset: Dataset) -> None:
        """Print the data's shape and hash on one stable line, and keep the hash for the results file."""
        self._data[dataset.name] = dataset.sha256
        shape = " x ".join(str(n) for n in dataset.x.shape)
        print(f"{dataset.name}: {shape}, sha256 {dataset.sha256[:12]}")

    def record(self, name: str, value: float, unit: str = "", exact: bool = False) -> float:
        """Keep a figure for the results file; in the test run, hold it against the stored one.

        The tolerance comes from the spread over other seeds (``lvutils refresh`` measures it), or is 1e-6 relative
        where ``exact`` says that the figure is a closed form.

        Raises ValueError for a name used twice or a value that is not finite, RecordError outside the tolerance.
        """
        value = float(value)
        if name in self._figures:
            raise ValueError(f"figure {name!r} is recorded twice")
        if not math.isfinite(value):
            raise ValueError(f"figure {name!r} is {value}, expected a finite number")
        self._figures[name] = {"value": value, "unit": unit, "exact": exact}
        if self._stored is not None:
            self._hold_against_stored(name, value)
        return value

    def result_file(self, name: str) -> Path:
        """Where a table or archive made from a reader's data goes: beside the run's record, or into the working folder.

        name: of the file. The second is for a notebook that is run by hand, as in JupyterLab.
        """
        target = os.environ.get("LVUTILS_RESULTS")
        return (Path(target).parent if target else Path.cwd()) / name

    def finish(self, claims: list[dict]) -> None:
        """Called by the scorecard: check the record as a whole and write it where ``LVUTILS_RESULTS`` says."""
        if self._stored is not None:
            missing = sorted(set(self._stored["figures"]) - set(self._figures))
            if missing:
                raise RecordError(f"stored figures not recorded in this run: {', '.join(missing)}; refresh the chapter")
            if self._data != self._stored["data"]:
                raise RecordError(f"data {self._data} differ from the stored {self._stored['data']}")
            verdicts = {c["id"]: c["verdict"] for c in claims}
            stored = {c["id"]: c["verdict"] for c in self._stored["claims"]}
            if verdicts != stored:
                raise RecordError(f"verdicts {verdicts} differ from the stored {stored}")
        target = os.environ.get("LVUTILS_RESULTS")
        if target:
            results = {
                "schema": RESULTS_SCHEMA,
                "slug": self.slug,
                "parameters": self.params,
                "data": self._data,
                "figures": self._figures,
                "claims": claims,
            }
            write_json(Path(target), results)

    def _hold_against_stored(self, name: str, value: float) -> None:
        if name not in self._stored["figures"]:
            raise RecordError(f"figure {name} is not in {self.slug}.results.json; refresh the chapter")
        stored = self._stored["figures"][name]
        if not abs(value - stored["value"]) <= stored["tolerance"]:
            raise RecordError(
                f"figure {name} is {value:.6g}, stored {stored['value']:.6g} with tolerance {stored['tolerance']:.2g}"
            )


def _declaration(history: list[str]) -> str:
    """The text of the parameters cell, the latest that ran.

    history: IPython's ``In``. It is empty where a front end runs cells without history, as nbval does; then Python's
    line cache still holds the text of every cell, in the order in which each first ran.
    """
    sources = ["".join(entry[2]) for entry in linecache.cache.values() if len(entry) == 4]
    declared = [source for source in [*sources, *history] if source.lstrip().startswith("profile: str")]
    if not declared:
        raise ParameterError("run the parameters cell (it starts with 'profile: str') before begin(...)")
    return declared[-1]


def _stored_results(slug: str, params: Mapping[str, object]) -> dict | None:
    """The stored results to hold this run against: in the test run only, and only under the stored parameters.

    They lie beside the chapter, which is the kernel's working folder under nbval.
    """
    if os.environ.get("LVUTILS_CHECK") != "1":
        return None
    path = Path.cwd() / f"{slug}.results.json"
    if not path.is_file():
        raise RecordError(f"{path.name} is missing beside the chapter; run: lvutils refresh {slug}")
    stored = json.loads(path.read_text(encoding="utf-8"))
    return stored if stored["parameters"] == dict(params) else None

"""The frame of a chapter: parameters, seeds, sizes of a profile, recorded values.

A chapter's second code cell calls :func:`begin`; everything else hangs on the :class:`Run` that it returns.
"""

from __future__ import annotations

import linecache
import math
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from lvutils.data import Dataset
from lvutils.parameters import PROFILES, ParameterError, check_values, parse_parameters
from lvutils.plot import use_style
from lvutils.record import ClaimRecord, RecordError, Results, Value
from lvutils.scorecard import verdict_lines
from lvutils.streams import Streams

if TYPE_CHECKING:
    from lvutils.tables import Arrays, Table
    from lvutils.trained import Kept


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


class Sizes:
    """The sizes of a run's profile as attributes. They cannot be changed: they belong to the profile."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]):
        object.__setattr__(self, "_values", dict(values))

    def __getattr__(self, name: str):
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"no size {name!r}; there are {', '.join(self._values)}") from None

    def __setattr__(self, name: str, value: object):
        raise AttributeError(f"size {name} cannot be changed: sizes belong to the profile")


class Run(Streams):
    """One execution of a chapter. Its streams of random numbers come from its seed.

    Attributes: ``slug``, ``profile``, ``seed``, ``params`` (all parameters by name), ``values`` (what was recorded so
    far, by name), ``untested`` (why no claim counts under this run's settings or data; empty where they do).
    """

    def __init__(self, slug: str, params: Mapping[str, object]):
        super().__init__(params["seed"])
        self.slug = slug
        self.params = dict(params)
        self.profile = params["profile"]
        self.values: dict[str, Value] = {}
        self.untested = ""
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

    def choose(self, *, own_data: bool = False, keep: Sequence[str] = (), **sizes: object) -> Sizes:
        """The sizes of this run's profile: ``choose(n=(2, 5, 20), lr=1e-2)``, a triple for quick, book and paper each.

        A size that is no triple is the same for all; one that is itself a sequence stands in the triple. ``choose(
        quick=dict(n=2), book=dict(n=5), paper=dict(n=20))`` says the same, profile by profile.
        own_data: the run is about a reader's own data; then the built-in ones only demonstrate: all sizes but those
        named in ``keep`` are the quick ones, and the claims are ``untested``.
        Raises ValueError where the profiles name different sizes.
        """
        if not sizes or (set(PROFILES) & set(sizes) and set(PROFILES) != set(sizes)):
            raise ValueError(f"choose() takes {', '.join(PROFILES)}; got {', '.join(sizes) or 'nothing'}")
        if set(sizes) == set(PROFILES):
            if len(names := {frozenset(s) for s in sizes.values()}) != 1:
                odd = set.union(*map(set, names)) - set.intersection(*map(set, names))
                raise ValueError(
                    f"choose(): each profile must set the same names; {', '.join(sorted(odd))} is not in all"
                )
            table = {name: tuple(sizes[p][name] for p in PROFILES) for name in sizes[PROFILES[0]]}
        else:
            if odd := [n for n, s in sizes.items() if isinstance(s, tuple) and len(s) != len(PROFILES)]:
                raise ValueError(f"choose(): {odd[0]} needs one size each for {', '.join(PROFILES)}, or one for all")
            table = {name: s if isinstance(s, tuple) else (s,) * len(PROFILES) for name, s in sizes.items()}
        if own_data:
            self.untested = "this run is about your own data; the built-in ones only demonstrate"
        profiles = {name: PROFILES[0] if own_data and name not in keep else self.profile for name in table}
        return Sizes({name: values[PROFILES.index(profiles[name])] for name, values in table.items()})

    # --- what the run leaves behind -----------------------------------------------------------------------------

    def fingerprint(self, data: Dataset | Table | Arrays) -> None:
        """Print the data's shape and hash on one stable line, and keep the hash for the results file."""
        self._data[data.name] = data.sha256
        print(f"{data.name}: {data.extent}, sha256 {data.sha256[:12]}")

    def record(self, name: str, value: float, unit: str = "", exact: bool = False) -> float:
        """Keep a value for the results file; in the test run, hold it against the stored one.

        Its tolerance is what other arithmetic does to it (``lvutils refresh`` measures it); ``exact`` says that it is a
        closed form.

        Raises ValueError for a name used twice or a value that is not finite, RecordError outside the tolerance.
        """
        value = float(value)
        if name in self.values:
            raise ValueError(f"value {name!r} is recorded twice")
        if not math.isfinite(value):
            raise ValueError(f"value {name!r} is {value}, expected a finite number")
        self.values[name] = Value(value, unit, exact)
        if self._stored is not None:
            self._hold_against_stored(name, value)
        return value

    def result_file(self, name: str) -> Path:
        """Where a table or archive made from a reader's data goes: beside the run's record, or into the working folder.

        name: of the file. The second is for a notebook that is run by hand, as in JupyterLab.
        """
        target = os.environ.get("LVUTILS_RESULTS")
        return (Path(target).parent if target else Path.cwd()) / name

    def trained(
        self,
        name: str,
        make: Callable,
        *,
        settings: Mapping[str, object],
        brief: Mapping[str, object] | None = None,
        data: Sequence = (),
    ) -> Kept:
        """What ``make`` trains, from the store where that holds it for these settings, data and code; else trained now.

        make: a function of the notebook, called as ``make(streams, *data, **settings)``, which gives tensors by name,
        or these and plain data for their card. It draws from ``streams``, which do not depend on the run's seed.
        settings: its keyword arguments at the length at which it is stored, under every profile. brief: those to put
        in their place under ``quick`` where the store has nothing; then all claims of the run are ``untested``.
        See :mod:`lvutils.trained`.
        """
        from lvutils.trained import keep

        kept = keep(self.slug, name, make, settings, brief if self.profile == PROFILES[0] else None, data)
        if kept.brief:
            self.untested = f"{name} was trained briefly"
        return kept

    def finish(self, claims: list[ClaimRecord]) -> list[str]:
        """Called by the scorecard: check the record as a whole, write it where ``LVUTILS_RESULTS`` says.

        Returns a line a claim with its verdict. In the test run a claim on which the stored runs disagree has the
        book's line: what this run gives is one more seed's opinion.
        """
        from lvutils.trained import loaded

        results = Results(self.slug, self.params, self._data, dict(loaded), self.values, claims)
        if self._stored is not None:
            missing = sorted(set(self._stored.values) - set(self.values))
            if missing:
                raise RecordError(f"stored values not recorded in this run: {', '.join(missing)}; refresh the chapter")
            out = [d for d in self._stored.differences(results) if not d.startswith("within")]
            if out:
                raise RecordError("; ".join(out))
        if target := os.environ.get("LVUTILS_RESULTS"):
            results.write(Path(target))
        return verdict_lines(claims, self._stored)

    def _hold_against_stored(self, name: str, value: float) -> None:
        if name not in self._stored.values:
            raise RecordError(f"value {name} is not in {self.slug}.results.json; refresh the chapter")
        stored = self._stored.values[name]
        if not abs(value - stored.value) <= stored.tolerance:
            raise RecordError(
                f"value {name} is {value:.6g}, stored {stored.value:.6g} with tolerance {stored.tolerance:.2g}"
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


def _stored_results(slug: str, params: Mapping[str, object]) -> Results | None:
    """The stored results to hold this run against: in the test run only, and only under the stored parameters.

    They lie beside the chapter, which is the kernel's working folder under nbval.
    """
    if os.environ.get("LVUTILS_CHECK") != "1":
        return None
    path = Path.cwd() / f"{slug}.results.json"
    if not path.is_file():
        raise RecordError(f"{path.name} is missing beside the chapter; run: lvutils refresh {slug}")
    stored = Results.read(path)
    return stored if stored.parameters == dict(params) else None

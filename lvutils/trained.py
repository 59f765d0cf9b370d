"""The store of trained models, in ``data/models``: what takes longer to train than a chapter may run.

A model, or a bundle of several, is two files: ``NAME.safetensors`` (half precision) and ``NAME.json``, its card: what
it is, the SHA-256 of the weights, its quality on held-out data. A chapter trains its own models through
:meth:`lvutils.chapter.Run.trained`; their cards also hold the key of all that the weights depend on, so that changed
settings, data or training code are never answered with old weights.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import json
import os
import textwrap
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save

from lvutils.data import DataError
from lvutils.files import read_json, write_bytes, write_json
from lvutils.parameters import nearest
from lvutils.paths import MODELS
from lvutils.streams import Streams
from lvutils.syntax import syntax

MAX_BYTES = 8_000_000
TRAIN = "LVUTILS_TRAIN"  # the folder into which models are trained anew; set by ``lvutils models``
SEED = 0  # root of the streams that training draws from: stored models do not depend on the seed of a run

loaded: dict[str, str] = {}  # SHA-256 by name of the stored models that this process has read


@dataclass(frozen=True)
class Kept:
    """Trained tensors by name, in the precision in which they are stored.

    about: what their card says of them. stored: they come from the store. brief: they were trained briefly.
    """

    tensors: dict[str, torch.Tensor]
    about: dict
    stored: bool
    brief: bool


def keep(
    slug: str,
    name: str,
    make: Callable,
    settings: Mapping[str, object],
    brief: Mapping[str, object] | None,
    data: Sequence,
) -> Kept:
    """What :meth:`lvutils.chapter.Run.trained` gives back. brief: None where training is at its full length.

    Raises ValueError where ``make`` reaches something whose value cannot be told (give it as data or settings).
    """
    full, key = f"{slug}-{name}", key_of(make, settings, data)
    folder = os.environ.get(TRAIN)
    if folder is None and full in names() and card(full).get("key") == key:
        return Kept(load_tensors(full), card(full)["about"], stored=True, brief=False)
    if folder is not None:
        brief = None
    before = time.process_time()
    made = make(Streams(SEED), *data, **{**settings, **(brief or {})})
    tensors, about = made if isinstance(made, tuple) else (made, {})
    if folder is not None:
        described = {
            "title": f"{name} of chapter {slug}", "chapter": slug, "key": key, "settings": _plain(settings),
            "about": _plain(about), "quality": _plain(about.get("quality", {})),
            "cpu_seconds": round(time.process_time() - before, 1), "torch": torch.__version__.partition("+")[0],
        }  # fmt: skip
        store(full, tensors, sum(v.numel() for v in tensors.values()), "tensors", {}, described)
    halved = {k: v.detach().half().float() if v.is_floating_point() else v for k, v in tensors.items()}
    return Kept(halved, _plain(about), stored=False, brief=brief is not None)


def key_of(make: Callable, settings: Mapping[str, object], data: Sequence) -> str:
    """What trained weights depend on, as a hash: the code that ``make`` reaches, its settings, the data's bytes."""
    digest = hashlib.sha256()
    for part in [*reached_code(make), json.dumps(_plain(settings), sort_keys=True), *map(_digest, data)]:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def reached_code(make: Callable) -> Iterator[str]:
    """The syntax of a function and of all that it reaches in its notebook or module: functions, classes, constants.

    Raises ValueError for a global of another kind, such as the run: what weights depend on must be given as data or
    settings.
    """
    waiting, seen = [make], {make}
    while waiting:
        thing = waiting.pop(0)
        functions = [thing] if isinstance(thing, types.FunctionType) else _methods(thing)
        yield from _syntax_of(thing, functions)
        bases = [] if isinstance(thing, types.FunctionType) else thing.__bases__
        named = {n: f.__globals__[n] for f in functions for n in _global_names(f.__code__) if n in f.__globals__}
        for name, value in [*sorted(named.items()), *((b.__name__, b) for b in bases)]:
            if isinstance(value, types.FunctionType | type):
                if value.__module__ == make.__module__ and value not in seen:
                    seen.add(value)
                    waiting.append(value)
            elif not isinstance(value, _LIBRARY) and not callable(value):
                try:
                    yield f"{name}={_digest(value)}"
                except TypeError:
                    raise ValueError(
                        f"{make.__name__} reaches {name}, a {type(value).__name__}: give it as data or settings"
                    ) from None


# --- reading and writing ----------------------------------------------------------------------------------------------


def names() -> list[str]:
    """Names of the stored models."""
    return sorted(p.stem for p in MODELS.glob("*.json"))


def card(name: str) -> dict:
    """A model's card. Raises DataError for an unknown name, with the nearest known one."""
    path = MODELS / f"{name}.json"
    if not path.is_file():
        raise DataError(f"unknown model {name!r}{nearest(name, names())}")
    return read_json(path, ("sha256", "kind"))


def load_tensors(name: str) -> dict[str, torch.Tensor]:
    """The tensors of a stored model or bundle by name, in single precision. Their hash is checked.

    Raises DataError for an unknown name, a missing file or other bytes than the card says.
    """
    expected = card(name)["sha256"]
    path = MODELS / f"{name}.safetensors"
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"model {name}: {path.name}: {error.strerror or error}") from error
    found = hashlib.sha256(raw).hexdigest()
    if found != expected:
        raise DataError(f"model {name}: SHA-256 of {path.name} is {found}, expected {expected}")
    loaded[name] = found
    return {key: value.float() if value.is_floating_point() else value for key, value in load(raw).items()}


def store_tensors(name: str, tensors: Mapping[str, torch.Tensor], config: Mapping, about: Mapping) -> str | None:
    """Store a bundle of tensors where ``lvutils models`` says; its SHA-256, or None elsewhere.

    config: what a reader of the bundle needs. about: the rest of the card: title, data, quality, what a user must know.
    Raises ValueError for a bundle over 8 MB.
    """
    return store(name, tensors, sum(v.numel() for v in tensors.values()), "tensors", config, about)


def store(
    name: str, tensors: Mapping[str, torch.Tensor], n_parameters: int, kind: str, config: Mapping, about: Mapping
) -> str | None:
    """Write a model's two files where ``lvutils models`` says; its SHA-256, or None elsewhere.

    kind: ``tensors`` for a bundle, else the kind by which :mod:`lvutils.shared` builds it again. Raises ValueError for
    more than 8 MB.
    """
    state = {key: value.detach().half() if value.is_floating_point() else value for key, value in tensors.items()}
    raw = save({key: value.contiguous() for key, value in state.items()})
    if len(raw) > MAX_BYTES:
        raise ValueError(f"model {name} takes {len(raw) / 1e6:.1f} MB, at most {MAX_BYTES / 1e6:.0f}")
    folder = os.environ.get(TRAIN)
    if folder is None:
        return None  # a run outside the command line shows the model and stores nothing
    sha256 = hashlib.sha256(raw).hexdigest()
    content = {"name": name, "kind": kind, "config": dict(config), "sha256": sha256, "n_parameters": n_parameters}
    write_bytes(Path(folder) / f"{name}.safetensors", raw)
    write_json(Path(folder) / f"{name}.json", content | dict(about))
    return sha256


_LIBRARY = (types.ModuleType, torch.dtype, torch.device)  # their versions are on the card


# --- what a function reaches ------------------------------------------------------------------------------------------


def _global_names(code: types.CodeType) -> set[str]:
    found = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return found.union(*(_global_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _syntax_of(thing: types.FunctionType | type, functions: Sequence[types.FunctionType]) -> Iterator[str]:
    """The syntax of a function or a class.

    Python finds no text of a class that a notebook defines, only its methods', and none at all of methods that were
    made for it, as a named tuple's: these are known by their names and arguments.
    """
    try:
        yield syntax(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError):
        if isinstance(thing, types.FunctionType):
            raise  # what it does cannot be told, so nothing may be stored under its name
        yield thing.__qualname__
        for method in functions:
            try:
                yield syntax(textwrap.dedent(inspect.getsource(method)))
            except OSError:
                yield f"{method.__qualname__}{method.__code__.co_varnames}"


def _methods(class_: type) -> list[types.FunctionType]:
    found = (getattr(v, "fget", None) or getattr(v, "__func__", v) for v in vars(class_).values())
    return [f for f in found if isinstance(f, types.FunctionType)]


def _digest(value: object) -> str:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)
        return f"{value.dtype.str} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(_digest, value))
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: object) -> object:
    """Plain data for a card. Raises TypeError for what has no such form."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | torch.Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence | set | frozenset | range):
        return [_plain(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    raise TypeError(f"{type(value).__name__} is not plain data")

"""Trained models that chapters share: stored in ``data/models`` with a card and a hash, loaded by name.

A model is two files: ``NAME.safetensors`` (half precision) and ``NAME.json``, its card: what it is, how it is built,
the notebook that trained it with the hash of its code, the SHA-256 of the weights, its quality on held-out data.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save

from lvutils.data import DataError
from lvutils.files import write_bytes, write_json
from lvutils.lm import LanguageModel, LMConfig
from lvutils.nn import ConvClassifier, UNet
from lvutils.parameters import nearest
from lvutils.paths import MODELS

MAX_BYTES = 8_000_000

_BUILDERS: dict[str, Callable[[dict], torch.nn.Module]] = {
    "classifier": lambda config: ConvClassifier(**config),
    "language-model": lambda config: LanguageModel(LMConfig(**config)),
    "unet": lambda config: UNet(**config),
}


def names() -> list[str]:
    """Names of the stored models."""
    return sorted(p.stem for p in MODELS.glob("*.json"))


def card(name: str) -> dict:
    """A model's card. Raises DataError for an unknown name, with the nearest known one."""
    path = MODELS / f"{name}.json"
    if not path.is_file():
        raise DataError(f"unknown model {name!r}{nearest(name, names())}")
    return json.loads(path.read_text(encoding="utf-8"))


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
    return {key: value.float() for key, value in load(raw).items()}


def load_model(name: str) -> torch.nn.Module:
    """A stored model, in evaluation mode, single precision, without gradients. Its hash is checked.

    Raises DataError as :func:`load_tensors` does, and for a bundle of tensors, whose class is a chapter's own.
    """
    about = card(name)
    if about["kind"] not in _BUILDERS:
        raise DataError(f"model {name} is a bundle of tensors; read it with load_tensors")
    model = _BUILDERS[about["kind"]](about["config"])
    model.load_state_dict(load_tensors(name))
    return model.eval().requires_grad_(False)


def half_precision(model: torch.nn.Module) -> torch.nn.Module:
    """Round a model's weights to half precision in place, so that its quality is measured as it is stored."""
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())
    return model


def store_model(name: str, model: torch.nn.Module, kind: str, config: Mapping, about: Mapping) -> str | None:
    """Store a trained model where ``LVUTILS_MODELS`` says (``make models`` sets it); its SHA-256, or None elsewhere.

    kind and config: how to build it again. about: the rest of the card: title, data, quality, what a user must know.
    Raises ValueError for an unknown kind or a model over 8 MB.
    """
    if kind not in _BUILDERS:
        raise ValueError(f"kind {kind!r}{nearest(kind, _BUILDERS)}")
    return _store(name, model.state_dict(), sum(p.numel() for p in model.parameters()), kind, config, about)


def store_tensors(name: str, tensors: Mapping[str, torch.Tensor], config: Mapping, about: Mapping) -> str | None:
    """Store a bundle of tensors, such as several small models whose class is a chapter's own, as a model is stored.

    config: what a chapter needs to read them. about, result and errors as for :func:`store_model`.
    """
    return _store(name, tensors, sum(v.numel() for v in tensors.values()), "tensors", config, about)


def _store(name, tensors, n_parameters, kind, config, about):
    state = {key: value.detach().half() if value.is_floating_point() else value for key, value in tensors.items()}
    raw = save({key: value.contiguous() for key, value in state.items()})
    if len(raw) > MAX_BYTES:
        raise ValueError(f"model {name} takes {len(raw) / 1e6:.1f} MB, at most {MAX_BYTES / 1e6:.0f}")
    folder = os.environ.get("LVUTILS_MODELS")
    if folder is None:
        return None  # a run outside the command line shows the model and stores nothing
    sha256 = hashlib.sha256(raw).hexdigest()
    content = {"name": name, "kind": kind, "config": dict(config), "sha256": sha256, "n_parameters": n_parameters}
    write_bytes(Path(folder) / f"{name}.safetensors", raw)
    write_json(Path(folder) / f"{name}.json", content | dict(about))
    return sha256

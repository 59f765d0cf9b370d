"""Base models that several chapters share: judges, diffusion models; stored whole, loaded by name.

Each is trained by a notebook of its own in ``notebooks/models`` and lies in the store of :mod:`lvutils.trained`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from lvutils.data import DataError
from lvutils.nn import ConvClassifier, UNet
from lvutils.parameters import nearest
from lvutils.trained import card, load_tensors, store

__all__ = ["card", "half_precision", "load_model", "store_model"]

_BUILDERS: dict[str, Callable[[dict], torch.nn.Module]] = {
    "classifier": lambda config: ConvClassifier(**config),
    "unet": lambda config: UNet(**config),
}


def load_model(name: str) -> torch.nn.Module:
    """A stored model, in evaluation mode, single precision, without gradients. Its hash is checked.

    Raises DataError as :func:`lvutils.trained.load_tensors` does, and for a bundle of tensors, whose class is a
    chapter's own.
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
    """Store a trained model where ``lvutils models`` says; its SHA-256, or None elsewhere.

    kind and config: how to build it again. about: the rest of the card: title, data, quality, what a user must know.
    Raises ValueError for an unknown kind or a model over 8 MB.
    """
    if kind not in _BUILDERS:
        raise ValueError(f"kind {kind!r}{nearest(kind, _BUILDERS)}")
    return store(name, model.state_dict(), sum(p.numel() for p in model.parameters()), kind, config, about)

"""How JupyterLab opens the book (``make lab``): it saves when it is told to, and a chapter as the refresh would."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import nbformat

from lvutils.paths import NOTEBOOKS
from lvutils.press.notebook import clean


def clean_on_save(model: dict[str, Any], path: str = "", contents_manager: Any = None, **kwargs: Any) -> None:
    """Jupyter's hook before a file is written: a chapter's outputs and metadata as they are stored.

    model: what is about to be written, changed in place. Other files, and notebooks elsewhere, stay as they are. A
    notebook that cannot be cleaned is saved as it is, with a warning: no work is lost over it.
    """
    if model.get("type") != "notebook" or not model.get("content"):
        return
    root = Path(getattr(contents_manager, "root_dir", "."))
    if NOTEBOOKS not in (root / path.lstrip("/")).resolve().parents:
        return
    try:
        model["content"] = nbformat.from_dict(clean(copy.deepcopy(model["content"])))
    except Exception as error:
        warnings.warn(f"{path} is saved as it is ({type(error).__name__}: {error})", stacklevel=2)

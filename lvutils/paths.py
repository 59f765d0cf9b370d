"""Where things lie.

Paths come from here and never from ``../``: the working folder differs between JupyterLab, papermill and nbval.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
MODELS = DATA / "models"
NOTEBOOKS = ROOT / "notebooks"
BOOK = ROOT / "book"

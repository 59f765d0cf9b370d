"""papermill's engine, with one difference: the notebook is written when its run ends, not before and after each cell."""

from __future__ import annotations

from typing import Any

from papermill.engines import NBClientEngine


class WriteOnce(NBClientEngine):
    """Writes the notebook once, at the end of the run or at the cell that fails.

    A run becomes visible only when it is whole, so nobody sees what papermill writes in between; for a chapter of fifty
    cells that is a hundred files of growing size.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> None:
        """Run the cells; ``nb_man`` writes again as soon as they are done or one has failed."""
        nb_man.autosave_cell_every = 0
        path, nb_man.output_path = nb_man.output_path, None
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        finally:
            nb_man.output_path = path

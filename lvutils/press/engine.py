"""papermill's engine and Jupyter's client, each with one difference: both wait less.

The notebook is written when its run ends, not before and after each cell; and a kernel counts as ready when it is.
"""

from __future__ import annotations

import contextlib
import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
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


class PromptClient(AsyncKernelClient):
    """Takes a kernel for ready once it has answered on both channels.

    Jupyter's own client then waits until nothing has come for a fifth of a second. But messages come in order: behind
    the word that the kernel is idle again there can be none of its start.
    """

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Ask until both answers are there. Raises RuntimeError where the kernel dies, or after ``timeout`` seconds."""
        give_up = time.monotonic() + (float("inf") if timeout is None else timeout)
        while time.monotonic() < give_up:
            asked = self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self._answer(self.shell_channel, asked, 1.0)
                while (await self._answer(self.iopub_channel, asked, 0.2))["content"].get("execution_state") != "idle":
                    pass
                self._handle_kernel_info_reply(reply)
                return
            if not await self._async_is_alive():
                raise RuntimeError("the kernel died before it answered")
        raise RuntimeError(f"the kernel did not answer in {timeout:g} s")

    wait_for_ready = _async_wait_for_ready

    @staticmethod
    async def _answer(channel: Any, asked: str, patience: float) -> dict:
        """The next message on a channel that answers a request. Raises queue.Empty where none comes for so long."""
        while True:
            message = await channel.get_msg(timeout=patience)
            if message["parent_header"].get("msg_id") == asked:
                return message

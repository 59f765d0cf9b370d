"""nbval's kernels are forked from a warm process, and talk over sockets in a folder of their own: parallel workers
cannot take each other's ports. One that dies is reported at once, with its cell.
"""

import os
import time
from pathlib import Path
from queue import Empty

import nbval.kernel
from jupyter_client.manager import KernelManager

from lvutils.press import provisioner
from lvutils.press.kernels import own_settings, short_folder


class OwnSocketsKernelManager(KernelManager):
    """A kernel manager whose every instance has sockets of its own."""

    def __init__(self, **options):
        self._sockets = short_folder()
        super().__init__(transport="ipc", ip=str(Path(self._sockets.name) / "k"), **options)


def await_reply(self, msg_id, timeout=None):
    """As nbval's own, but it looks whether the kernel lives, in place of waiting out the time limit."""
    give_up = time.monotonic() + timeout
    while True:
        try:
            message = self.get_message(stream="shell", timeout=min(1, timeout))
        except Empty:
            if not self.km.is_alive():
                raise RuntimeError("the kernel died in this cell (out of memory, or killed)") from None
            if time.monotonic() > give_up:
                raise
            continue
        if message["parent_header"].get("msg_id") == msg_id:
            return


nbval.kernel.RunningKernel.await_reply = await_reply
nbval.kernel.KernelManager = OwnSocketsKernelManager
_own = short_folder()  # settings, and what chapters write: there, and not beside them
os.environ.update(own_settings(_own.name))
os.environ["LVUTILS_RESULTS"] = str(Path(_own.name) / "results.json")
provisioner.use()

"""nbval's kernels are forked from a warm process, and talk over sockets in a folder of their own: parallel workers
cannot take each other's ports.
"""

import os
import tempfile
from pathlib import Path

import nbval.kernel
from jupyter_client.manager import KernelManager

from lvutils.press import provisioner


class OwnSocketsKernelManager(KernelManager):
    """A kernel manager whose every instance has sockets of its own."""

    def __init__(self, **options):
        self._sockets = tempfile.TemporaryDirectory(prefix="lv-")
        super().__init__(transport="ipc", ip=str(Path(self._sockets.name) / "k"), **options)


nbval.kernel.KernelManager = OwnSocketsKernelManager
_left = tempfile.TemporaryDirectory(prefix="lv-")  # what chapters write goes there, and not beside them
os.environ["LVUTILS_RESULTS"] = str(Path(_left.name) / "results.json")
provisioner.use()

"""nbval's kernels are forked from a warm process, and talk over sockets in a folder of their own: parallel workers
cannot take each other's ports.
"""

import os
from pathlib import Path

import nbval.kernel
from jupyter_client.manager import KernelManager

from lvutils.press import provisioner
from lvutils.press.kernels import own_settings, short_folder


class OwnSocketsKernelManager(KernelManager):
    """A kernel manager whose every instance has sockets of its own."""

    def __init__(self, **options):
        self._sockets = short_folder()
        super().__init__(transport="ipc", ip=str(Path(self._sockets.name) / "k"), **options)


nbval.kernel.KernelManager = OwnSocketsKernelManager
_own = short_folder()  # settings, and what chapters write: there, and not beside them
os.environ.update(own_settings(_own.name))
os.environ["LVUTILS_RESULTS"] = str(Path(_own.name) / "results.json")
provisioner.use()

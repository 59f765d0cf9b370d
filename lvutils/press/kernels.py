"""What kernels run with: one thread, other arithmetic where it is asked for; and what those that ended have used."""

from __future__ import annotations

import os
import resource
import tempfile
from dataclasses import dataclass

# One thread a run: several runs share a machine, and threads reorder floating-point sums.
RUN_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONSTARTUP": "",  # a user's, which IPython would run
}
# Other arithmetic on the same machine, for what another processor may do: all of it without vector instructions, and
# with those that most machines have.
ARITHMETIC = (
    {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Prescott"},
    {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "OPENBLAS_CORETYPE": "Haswell"},
)


LONGEST = 60  # characters of a folder in which a socket's path still fits (108 are all that the system takes)


def short_folder() -> tempfile.TemporaryDirectory:
    """A folder for sockets: where temporary files go, or where that path is too long, as on clusters, a shorter one."""
    places = (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")
    place = next((p for p in places if len(p) <= LONGEST and os.access(p, os.W_OK)), None)
    return tempfile.TemporaryDirectory(prefix="lv-", dir=place)


def own_settings(folder: str) -> dict[str, str]:
    """Environment under which a user's IPython profile, start-up files and Jupyter settings do not reach a kernel, and
    the kernel is this environment's Python, whatever kernel specifications lie about. folder: an empty one.
    """
    return {
        "IPYTHONDIR": f"{folder}/ipython",
        "JUPYTER_CONFIG_DIR": f"{folder}/jupyter",
        "JUPYTER_DATA_DIR": f"{folder}/jupyter",
        "JUPYTER_PATH": "",
        "JUPYTER_CONFIG_PATH": "",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_NO_CONFIG": "1",
    }


@dataclass
class Forked:
    """Use of the kernels that a warm process forked and that are no children of this one, told by the warm process."""

    cpu_seconds: float = 0.0  # of all that ended so far
    memory_kib: int = 0  # peak of the last one


forked = Forked()


def used() -> tuple[float, int]:
    """Processor seconds of the kernels so far (unlike time by the clock, no matter how busy the machine is), and the
    peak memory in KiB of the last: of the one that was forked, or else of the largest child.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = children.ru_utime + children.ru_stime
    return seconds + forked.cpu_seconds, forked.memory_kib if forked.cpu_seconds else children.ru_maxrss

"""What kernels run with: one thread, other arithmetic where it is asked for; and what those that ended have used."""

from __future__ import annotations

import resource
from dataclasses import dataclass

# One thread a run: several runs share a machine, and threads reorder floating-point sums.
RUN_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
# Other arithmetic on the same machine, for what another processor may do: all of it without vector instructions, and
# with those that most machines have.
ARITHMETIC = (
    {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Prescott"},
    {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "OPENBLAS_CORETYPE": "Haswell"},
)


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

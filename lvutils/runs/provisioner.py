"""Kernels forked from a warm process, for everything that runs notebooks here: papermill, nbclient and nbval unchanged.

Jupyter asks a *provisioner* to start a kernel. This one, registered as ``lvutils-fork``, is taken where
``JUPYTER_DEFAULT_PROVISIONER_NAME`` says so (:func:`use`). It falls back to a plain start wherever a fork
would not be the same thing: another interpreter, another system than Linux, a warm process that did not start.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any, ClassVar

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from lvutils.runs.zygote import HEADER

# Read when an interpreter starts or a library is imported: a warm process serves only kernels that agree in these.
_STARTUP = (
    "ARROW_", "ATEN_", "CUDA_", "GOMP_", "HF_", "JE_", "KMP_", "LANG", "LC_", "LD_", "MKL_", "MPL", "NUMEXPR_", "OMP_",
    "OPENBLAS_", "PYTHON", "PYTORCH_", "TORCH", "TZ",
)  # fmt: skip
_PATIENCE = 120.0  # seconds a warm process may take to import


def use() -> None:
    """From here on, kernels that this process or its children start are forked where that is possible."""
    os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "lvutils-fork"
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")  # a thread that pandas would start
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")


class Zygote:
    """The client's side of a warm process."""

    _alive: ClassVar[dict[tuple, Zygote | None]] = {}  # None: it did not start, and is not tried again
    _lock = threading.Lock()

    def __init__(self, environment: dict[str, str]):
        self.control, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "lvutils.runs.zygote", str(theirs.fileno())]
        with theirs:
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, process_group=0
            )
        self.control.settimeout(_PATIENCE)
        if self.control.recv(1) != b"r":
            raise OSError("the warm process did not start")

    @classmethod
    def of(cls, environment: dict[str, str]) -> Zygote | None:
        """The warm process for kernels of an environment, started where there is none; None where that fails."""
        key = (os.getpid(), *sorted((k, v) for k, v in environment.items() if k.startswith(_STARTUP)))
        with cls._lock:
            if key not in cls._alive or (cls._alive[key] and cls._alive[key].process.poll() is not None):
                try:
                    cls._alive[key] = cls(environment)
                except OSError:
                    cls._alive[key] = None
            return cls._alive[key]

    def fork(self, arguments: list[str], environment: dict[str, str], cwd: str, output: tuple[int, int]) -> ForkedKernel:
        """Fork a kernel. Raises OSError where that is refused."""
        own, theirs = socket.socketpair()
        body = json.dumps({"arguments": arguments, "env": environment, "cwd": cwd}).encode()
        with self._lock, theirs:
            socket.send_fds(self.control, [HEADER.pack(len(body))], [theirs.fileno(), *output])
            self.control.sendall(body)
        return ForkedKernel(own)

    def close(self) -> None:
        """End it, and with it the kernels that are left."""
        self.control.close()
        self.process.wait()


@atexit.register
def _close_all() -> None:
    for (pid, *_), zygote in Zygote._alive.items():
        if zygote is not None and pid == os.getpid():
            zygote.close()


class ForkedKernel:
    """A forked kernel as :class:`subprocess.Popen` would show it."""

    stdin = stdout = stderr = None
    cpu_seconds: ClassVar[float] = 0.0  # of all kernels that ended so far
    memory_kib: ClassVar[int] = 0  # of the last one

    def __init__(self, own: socket.socket):
        self.own, self.returncode, self._rest = own, None, b""
        own.settimeout(_PATIENCE)
        self._read()
        if "pid" not in self._answer:
            own.close()
            raise OSError(self._answer.get("refused", "the warm process is gone"))
        self.pid = self._answer["pid"]
        own.setblocking(False)

    def poll(self) -> int | None:
        """The exit status, or None while the kernel lives."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._read()
                self.returncode = self._answer.get("status", -signal.SIGKILL)  # none: the warm process died, and took it along
                ForkedKernel.cpu_seconds += self._answer.get("cpu_seconds", 0.0)
                ForkedKernel.memory_kib = self._answer.get("memory_kib", 0)
                self.own.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit status."""
        if self.returncode is None:
            self.own.settimeout(timeout)
            try:
                self.poll()
            except TimeoutError:
                raise subprocess.TimeoutExpired("kernel", timeout) from None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill the kernel's process group."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the kernel's process group to end."""
        self.send_signal(signal.SIGTERM)

    def _read(self) -> None:
        """The next line from the warm process, as a dict; empty where it has closed."""
        while b"\n" not in self._rest:
            try:
                part = self.own.recv(4096)
            except ConnectionError:
                part = b""
            if not part:
                self._rest = b"{}\n"
            self._rest += part
        line, self._rest = self._rest.split(b"\n", 1)
        self._answer = json.loads(line)


class ForkProvisioner(LocalProvisioner):
    """Starts kernels of this interpreter by a fork, all others as Jupyter does."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel. ``cmd`` and ``kwargs`` are those of :class:`subprocess.Popen`."""
        forked = self._forked(cmd, kwargs) if sys.platform == "linux" else None
        if forked is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process, self.pid, self.pgid = forked, forked.pid, forked.pid
        self.cwd = kwargs.get("cwd") or os.getcwd()
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the kernel's end, without the pause between looks that Jupyter takes."""
        if isinstance(self.process, ForkedKernel):
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            if self.process.poll() is None:
                loop.add_reader(self.process.own, ended.set)
                try:
                    await ended.wait()
                finally:
                    loop.remove_reader(self.process.own)
        return await super().wait()

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if isinstance(self.process, ForkedKernel):
            self.process.send_signal(signum)
        else:
            await super().send_signal(signum)

    def _forked(self, cmd: list[str], kwargs: dict[str, Any]) -> ForkedKernel | None:
        """The kernel, or None where a plain start is called for."""
        if cmd[:3] != [sys.executable, "-m", "ipykernel_launcher"]:
            return None
        environment = dict(kwargs.get("env") or os.environ)
        try:
            zygote = Zygote.of(environment)
            if zygote is None:
                return None
            output = tuple(self._descriptor(kwargs.get(name), k) for k, name in ((1, "stdout"), (2, "stderr")))
            return zygote.fork(cmd[3:], environment, os.fspath(kwargs.get("cwd") or os.getcwd()), output)
        except (OSError, ValueError):
            return None

    @staticmethod
    def _descriptor(stream: Any, inherited: int) -> int:
        """The descriptor that ``Popen`` would hand on. Raises ValueError for a pipe."""
        if stream is None:
            return inherited
        number = stream if isinstance(stream, int) else stream.fileno()
        if number < 0:
            raise ValueError("a pipe to the kernel is not supported")
        return number

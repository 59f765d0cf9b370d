"""Kernels forked from a warm process, for everything that runs notebooks here: papermill, nbclient and nbval unchanged.

Jupyter asks a *provisioner* to start a kernel. This one, registered as ``lvutils-fork``, is taken where
``JUPYTER_DEFAULT_PROVISIONER_NAME`` says so (:func:`use`). It falls back to a plain start wherever a fork
would not be the same thing: another interpreter, another system than Linux, a warm process that did not start.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from lvutils.press.kernels import RUN_ENVIRONMENT, forked, short_folder
from lvutils.press.zygote import HEADER

# Read when an interpreter starts or a library is imported: a warm process serves only kernels that agree in these.
_STARTUP = (
    "ARROW_", "ATEN_", "CUDA_", "GOMP_", "HF_", "JE_", "KMP_", "LANG", "LC_", "LD_", "MKL_", "MPL", "NUMEXPR_", "OMP_",
    "OPENBLAS_", "PYTHON", "PYTORCH_", "TORCH", "TZ",
)  # fmt: skip
NAME = "lvutils-fork"  # among the entry points of pyproject.toml
_PATIENCE = 120.0  # seconds a warm process may take to import
# Where child processes find the one that is there: a digest of its environment, and its socket.
_SHARED = "LVUTILS_ZYGOTE"


def use() -> None:
    """From here on, kernels that this process or its children start are forked where that is possible.

    Sets what runs need in the environment (one thread each), and starts a warm process unless there is one for this
    environment, here or in a parent. (An import can change the environment: scikit-learn's does.)
    """
    os.environ.update(RUN_ENVIRONMENT)
    os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = NAME  # for children; here it may have been read before
    KernelProvisionerFactory.instance().default_provisioner_name = NAME
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # a thread that pandas would start
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    if sys.platform == "linux" and os.environ.get(_SHARED, "").partition(":")[0] != _digest(os.environ):
        with contextlib.suppress(OSError):
            zygote = Zygote(dict(os.environ))
            os.environ[_SHARED] = f"{_digest(os.environ)}:{zygote.path}"


def _digest(environment: Mapping[str, str]) -> str:
    """What kernels must agree in to come from the same warm process."""
    relevant = sorted((k, v) for k, v in environment.items() if k.startswith(_STARTUP))
    return hashlib.sha256(repr((sys.executable, relevant)).encode()).hexdigest()[:16]


class Zygote:
    """A warm process of this one, that ends with it."""

    def __init__(self, environment: dict[str, str]):
        self.folder = short_folder()
        self.path = os.path.join(self.folder.name, "zygote")
        self.life, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen()
            numbers = [theirs.fileno(), listener.fileno()]
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lvutils.press.zygote", *map(str, numbers)],
                pass_fds=numbers,
                env=environment,
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        self.pid = os.getpid()
        atexit.register(self.close)

    def close(self) -> None:
        """End it, and with it the kernels that are left."""
        if self.pid == os.getpid():  # and not a fork of the process that started it
            self.life.close()
            self.process.wait()
            self.folder.cleanup()


def fork(arguments: list[str], environment: dict[str, str], cwd: str, output: tuple[int, int]) -> ForkedKernel:
    """A kernel from the warm process. Raises OSError where there is none for its environment, or it refuses."""
    digest, _, path = os.environ.get(_SHARED, "").partition(":")
    if digest != _digest(environment):
        raise OSError("no warm process for this environment")
    own = socket.socket(socket.AF_UNIX)
    try:
        own.settimeout(_PATIENCE)
        own.connect(path)
        body = json.dumps({"arguments": arguments, "env": environment, "cwd": cwd}).encode()
        socket.send_fds(own, [HEADER.pack(len(body))], output)
        own.sendall(body)
        return ForkedKernel(own)
    except OSError:
        own.close()
        raise


class ForkedKernel:
    """A forked kernel as :class:`subprocess.Popen` would show it."""

    stdin = stdout = stderr = None

    def __init__(self, own: socket.socket):
        self.own, self.returncode, self._rest = own, None, b""
        own.settimeout(_PATIENCE)
        self._read()
        if "pid" not in self._answer:
            raise OSError(self._answer.get("refused", "the warm process is gone"))
        self.pid = self._answer["pid"]
        own.setblocking(False)

    def poll(self) -> int | None:
        """The exit status, or None while the kernel lives."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._read()
                # without a status the warm process died, and took the kernel along
                self.returncode = self._answer.get("status", -signal.SIGKILL)
                forked.cpu_seconds += self._answer.get("cpu_seconds", 0.0)
                forked.memory_kib = self._answer.get("memory_kib", 0)
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

    _ending = False

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel. ``cmd`` and ``kwargs`` are those of :class:`subprocess.Popen`."""
        self._ending = False  # a restart comes here too
        forked = self._forked(cmd, kwargs) if sys.platform == "linux" else None
        if forked is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process, self.pid, self.pgid = forked, forked.pid, forked.pid
        self.cwd = kwargs.get("cwd") or os.getcwd()
        return self.connection_info

    async def shutdown_requested(self, restart: bool = False) -> None:
        """The kernel has been asked to end: from now on :meth:`poll` gives it a moment."""
        self._ending = True

    async def poll(self) -> int | None:
        """The exit status, or None while the kernel lives. Where it was asked to end, Jupyter looks every tenth
        of a second; here the look itself lasts until it has ended, half a second at most.
        """
        if self._ending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended(), 0.5)
        return await super().poll()

    async def wait(self) -> int | None:
        """Wait for the kernel's end, without the pause between looks that Jupyter takes."""
        await self._ended()
        return await super().wait()

    async def _ended(self) -> None:
        """Wait until a forked kernel has ended; for any other, do nothing."""
        if isinstance(self.process, ForkedKernel) and self.process.poll() is None:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            number = self.process.own.fileno()  # which a look from elsewhere may close while this one waits
            loop.add_reader(number, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(number)

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
            output = tuple(self._descriptor(kwargs.get(name), k) for k, name in ((1, "stdout"), (2, "stderr")))
            return fork(cmd[3:], environment, os.fspath(kwargs.get("cwd") or os.getcwd()), output)
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

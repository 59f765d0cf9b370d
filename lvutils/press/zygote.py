"""A warm process that forks Jupyter kernels: what every chapter imports is imported once.

Started by :mod:`lvutils.press.provisioner` with a listening socket and one end of a socket pair. A connection brings
the kernel's command line, environment and folder; on it the zygote answers the process number and, at the end, the exit
status and what the kernel used. When the other side closes a connection its kernel is killed, and when the end of the
pair closes all are: no kernel outlives the process that asked for it, nor the zygote the one that started it, however
they ended.

It forks only while it has a single thread, and computes nothing beyond imports (and matplotlib's grammar of formulas,
the first time one is read), so that a fork is as good as new.
Linux only: elsewhere a fork of a process with these modules is not safe.

Why not multiprocessing's forkserver: it serves one process and those that this one starts by multiprocessing. Here one
warm process, found through the environment, serves Dask's workers, pytest's and nbclient alike, so that its imports
are paid once a command and not once a worker; a kernel goes when the connection of whoever asked for it closes, also
where that one was killed; and its exit status, time and memory come back to a process that is not its parent.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import selectors
import shutil
import signal
import socket
import struct
import sys

HEADER = struct.Struct("!I")
# New objects between two looks for cyclic garbage. At Python's 700 a sixth of the time that a figure takes goes there.
COLLECT_EVERY = 5000
# What chapters import. A module that is not installed, or fails, is left to the chapter.
MODULES = (
    "numpy",
    "pandas",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.stats",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "seaborn",
    "sklearn.datasets",
    "sklearn.decomposition",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.neural_network",
    "torch",
    "torch._dynamo",  # what an optimiser imports at its first step
    "torch.nn.functional",
    "torch.optim",
    "tornado.platform.asyncio",
    "safetensors.torch",
    "tqdm",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "ipykernel.debugger",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "lvutils",
    "lvutils.data",
    "lvutils.diffusion",
    "lvutils.ensemble",
    "lvutils.frames",
    "lvutils.distributions",
    "lvutils.lm",
    "lvutils.shared",
    "lvutils.trained",
    "lvutils.nn",
    "lvutils.plot",
    "lvutils.claims",
    "lvutils.stats",
    "lvutils.train",
)


def main(life: socket.socket, listener: socket.socket) -> None:
    """Import, then serve until ``life`` closes."""
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # as ipykernel_launcher does
    gc.disable()  # looks for garbage take a sixth of the time of the imports
    for name in MODULES:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        importlib.import_module("matplotlib.mathtext").MathTextParser("agg").parse("$x$")
    if pandas := sys.modules.get("pandas"):
        pandas.set_option("display.max_columns", 20)  # as in any kernel; here pandas takes itself to be in a terminal
    gc.freeze()  # a collection in a kernel would otherwise touch, and so copy, every page of these modules
    gc.enable()
    gc.set_threshold(COLLECT_EVERY, *gc.get_threshold()[1:])
    try:
        _Zygote(life, listener).serve()
    finally:
        shutil.rmtree(os.path.dirname(listener.getsockname()), ignore_errors=True)
    os._exit(0)  # no teardown of modules, which takes a third of a second


class _Zygote:
    def __init__(self, life: socket.socket, listener: socket.socket):
        self.life, self.listener = life, listener
        self.kernels: dict[int, socket.socket] = {}  # by process number
        self.wake, wake = socket.socketpair()
        for end in (self.wake, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
        self.selector = selectors.DefaultSelector()
        for end in (life, listener, self.wake):
            self.selector.register(end, selectors.EVENT_READ)
        self.opened = (life, listener, self.wake, wake, self.selector)

    def serve(self) -> None:
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.life:
                    signal.set_wakeup_fd(-1)
                    for pid in self.kernels:
                        _kill(pid)
                    return
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is self.wake:
                    with contextlib.suppress(BlockingIOError):
                        while self.wake.recv(4096):
                            pass
                    self.reap()
                else:
                    self.drop(key.fileobj, key.data)

    def accept(self) -> None:
        """Fork one kernel."""
        own, _ = self.listener.accept()
        own.settimeout(10)
        output: list[int] = []
        try:
            head, output, _, _ = socket.recv_fds(own, HEADER.size, 2)
            body = bytearray()
            while len(body) < HEADER.unpack(head)[0]:
                part = own.recv(1 << 16)
                if not part:
                    raise ConnectionError
                body += part
            request = json.loads(body)
        except (OSError, ValueError, struct.error):  # whoever asked is gone
            own.close()
        else:
            own.setblocking(True)
            if len(os.listdir("/proc/self/task")) > 1:
                _answer(own, refused="the warm process has more than one thread")
                own.close()
            else:
                self.fork(request, own, output)
        for descriptor in output:
            os.close(descriptor)

    def fork(self, request: dict, own: socket.socket, output: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self.become_kernel(request, own, output)
        with contextlib.suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(pid, pid)
        self.kernels[pid] = own
        self.selector.register(own, selectors.EVENT_READ, pid)
        _answer(own, pid=pid)

    def become_kernel(self, request: dict, own: socket.socket, output: list[int]) -> None:
        """In the child: nothing of the zygote's stays open, nothing of its state is shared. Does not return."""
        status = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.default_int_handler)
            for end in (own, *self.kernels.values(), *self.opened):
                end.close()
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), *zip(output, (1, 2), strict=True)):
                os.dup2(source, target)
                os.close(source)
            os.environ.clear()
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            random.seed()
            if numpy := sys.modules.get("numpy"):
                numpy.random.seed(None)
            _kernel(request["arguments"])
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            import atexit

            with contextlib.suppress(BaseException):
                atexit._run_exitfuncs()  # then no teardown of modules, which takes a third of a second
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def reap(self) -> None:
        while self.kernels:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            own = self.kernels.pop(pid)
            with contextlib.suppress(KeyError):
                self.selector.unregister(own)
            status = os.waitstatus_to_exitcode(status)
            _answer(own, status=status, cpu_seconds=usage.ru_utime + usage.ru_stime, memory_kib=usage.ru_maxrss)
            own.close()

    def drop(self, own: socket.socket, pid: int) -> None:
        """Whoever wanted this kernel is gone."""
        if self.kernels.get(pid) is own:  # else it was reaped in this very turn
            self.selector.unregister(own)
            _kill(pid)


def _kernel(arguments: list[str]) -> None:
    """What ``python -m ipykernel_launcher`` does, and figures inline: matplotlib is there already, and will not ask."""
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher", *arguments]
    app = IPKernelApp.instance(parent_handle=os.getppid())
    app.initialize(arguments)
    if "matplotlib.pyplot" in sys.modules:
        app.shell.enable_matplotlib("inline")
    app.start()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _answer(own: socket.socket, **fields: object) -> None:
    with contextlib.suppress(OSError):
        own.sendall(json.dumps(fields).encode() + b"\n")


if __name__ == "__main__":
    main(*(socket.socket(fileno=int(number)) for number in sys.argv[1:3]))

"""Kernels forked from a warm process: the same results, nothing shared, nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import gone
from jupyter_client.manager import AsyncKernelManager, KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from lvutils.press import execute, kernels, provisioner
from lvutils.press.provisioner import ForkedKernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture(autouse=True, scope="module")
def warm():
    before, factory = dict(os.environ), KernelProvisionerFactory.instance()
    name = factory.default_provisioner_name  # kept from here on, whatever the environment says later
    provisioner.use()
    yield
    factory.default_provisioner_name = name
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def start(tmp_path):
    """Starts kernels; ``start().run(code)`` gives what the code printed."""
    kernels = []

    class Kernel:
        def __init__(self, **options):
            folder = tmp_path / str(len(kernels))
            folder.mkdir()
            self.manager = KernelManager(transport="ipc", ip=str(folder / "k"))
            self.manager.start_kernel(**options)
            self.client = self.manager.client()
            kernels.append(self)
            self.client.start_channels()
            self.client.wait_for_ready(timeout=120)

        @property
        def process(self):
            return self.manager.provisioner.process

        def run(self, code, interrupt=False):
            said = []

            def listen(message):
                content = message["content"]
                said.append(content.get("text") or content.get("ename") or "")
                if interrupt and "text" in content:
                    self.manager.interrupt_kernel()

            self.client.execute_interactive(code, timeout=60, output_hook=listen)
            return "".join(said).strip()

    yield Kernel
    for kernel in kernels:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


def test_a_kernel_is_forked_with_everything_imported(start):
    kernel = start()
    assert isinstance(kernel.process, ForkedKernel)
    loaded = "import sys; print([m in sys.modules for m in ('torch', 'sklearn', 'matplotlib.pyplot', 'lvutils.train')])"
    assert kernel.run(loaded) == "[True, True, True, True]"


def test_a_forked_kernel_has_a_state_of_its_own(start):
    code = (
        "import os, random, uuid, numpy, tempfile\n"
        "print(random.random(), numpy.random.rand(), uuid.uuid4(), next(tempfile._get_candidate_names()))"
    )
    kernels = [start(), start()]
    first, second = (k.run(code).split() for k in kernels)
    assert all(a != b for a, b in zip(first, second, strict=True))
    for kernel in kernels:
        assert kernel.run("print(os.getpgid(0) == os.getpid())") == "True"
    assert kernels[0].run("import torch; print(torch.initial_seed())") == kernels[1].run(
        "import torch; print(torch.initial_seed())"
    )  # torch's own default in every new process


def test_a_forked_kernel_shows_a_wide_table_as_a_plain_one_does(start):
    code = "import pandas; print(repr(pandas.DataFrame([range(12)], columns=[f'a long name {k}' for k in range(12)])))"
    forked, plain = start(), start(env={**os.environ, "PYTHONHASHSEED": "7"})
    assert (isinstance(forked.process, ForkedKernel), isinstance(plain.process, ForkedKernel)) == (True, False)
    assert forked.run(code) == plain.run(code)


def test_environment_and_folder_are_those_that_were_asked_for(start, tmp_path):
    kernel = start(cwd=str(tmp_path), env={**os.environ, "MARK": "here"})
    assert kernel.run("import os; print(os.getcwd(), os.environ['MARK'])") == f"{tmp_path} here"
    assert isinstance(kernel.process, ForkedKernel)


def test_a_fork_inherits_no_open_sockets_or_files(start):
    start()  # a first kernel, whose connection the second must not hold
    kernel = start()
    zygote = psutil.Process(kernel.process.pid).parent()
    theirs = {os.readlink(f"/proc/{zygote.pid}/fd/{n}") for n in os.listdir(f"/proc/{zygote.pid}/fd")}
    mine = {os.readlink(f"/proc/{kernel.process.pid}/fd/{n}") for n in os.listdir(f"/proc/{kernel.process.pid}/fd")}
    assert not {link for link in theirs & mine if link.startswith("socket:")}


def test_another_environment_at_start_gets_a_plain_kernel(start):
    kernel = start(env={**os.environ, "PYTHONHASHSEED": "7"})
    assert not isinstance(kernel.process, ForkedKernel)
    assert kernel.run("print(1 + 1)") == "2"


def test_a_change_of_the_environment_gets_a_warm_process_of_its_own(start, monkeypatch):
    monkeypatch.setenv("LVUTILS_ZYGOTE", os.environ["LVUTILS_ZYGOTE"])  # so that it is put back
    first = os.environ["LVUTILS_ZYGOTE"]
    provisioner.use()
    assert os.environ["LVUTILS_ZYGOTE"] == first
    monkeypatch.setenv("KMP_INIT_AT_FORK", "TRUE")
    assert not isinstance(start().process, ForkedKernel)
    provisioner.use()
    assert os.environ["LVUTILS_ZYGOTE"] != first
    assert isinstance(start().process, ForkedKernel)


def test_a_forked_kernel_can_be_interrupted_and_killed(start):
    kernel = start()
    assert kernel.run("import time; print('on', flush=True); time.sleep(60)", interrupt=True).split() == [
        "on",
        "KeyboardInterrupt",
    ]
    pid = kernel.process.pid
    kernel.process.kill()
    assert kernel.process.wait(10) == -signal.SIGKILL
    assert gone(lambda: not psutil.pid_exists(pid))


def test_a_restarted_kernel_is_looked_at_without_waiting(start, monkeypatch):
    kernel, waits = start(), []

    async def wait(provisioner):
        waits.append(provisioner)

    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=120)
    with monkeypatch.context() as patch:  # a look at a kernel that is ending waits for its end
        patch.setattr(provisioner.ForkProvisioner, "_ended", wait)
        assert kernel.manager.is_alive()
    assert not waits
    assert kernel.run("print(1 + 1)") == "2"


@pytest.fixture
def asynchronous(tmp_path):
    """Starts a kernel and waits for it with our client: ``before`` gets its process, ``after`` the client."""
    manager = AsyncKernelManager(
        transport="ipc", ip=str(tmp_path / "k"), client_class="lvutils.press.engine.PromptClient"
    )

    def wait(before=None, after=None):
        async def go():
            await manager.start_kernel()
            if before:
                before(manager.provisioner.process)
            client = manager.client()
            client.start_channels()
            try:
                await client.wait_for_ready(timeout=60)
                return await after(client)
            finally:
                client.stop_channels()
                await manager.shutdown_kernel(now=True)

        return asyncio.run(go())

    return wait


def test_a_kernel_that_is_ready_has_nothing_left_to_say_of_its_start(asynchronous):
    async def first(client):
        asked = client.execute("print(1 + 1)")
        while True:
            message = await client.get_iopub_msg(timeout=10)
            assert message["parent_header"]["msg_id"] == asked
            if message["msg_type"] == "stream":
                return message["content"]["text"]

    assert asynchronous(after=first) == "2\n"


def test_a_kernel_that_dies_before_it_answers_is_reported(asynchronous):
    with pytest.raises(RuntimeError, match="the kernel died before it answered"):
        asynchronous(before=lambda process: process.kill())


def test_a_forked_run_gives_the_records_of_a_plain_one(mini, tmp_path, monkeypatch):
    todo, used = execute.plan(mini, {"profile": "quick"}), kernels.forked.cpu_seconds
    forked = execute.execute(todo, tmp_path / "forked")
    assert kernels.forked.cpu_seconds > used
    used = kernels.forked.cpu_seconds
    monkeypatch.setattr(KernelProvisionerFactory.instance(), "default_provisioner_name", "local-provisioner")
    plain = execute.execute(todo, tmp_path / "plain")
    assert kernels.forked.cpu_seconds == used
    for results in (forked, plain):
        assert results.cost.cpu_seconds > 0
        results.cost = None
    assert forked == plain


ASKS = """\
import sys, time
from lvutils.press import provisioner
from jupyter_client.manager import KernelManager
provisioner.use()
manager = KernelManager(transport="ipc", ip=sys.argv[1] + "/k")
manager.start_kernel()
print(manager.provisioner.process.pid, flush=True)
time.sleep(600)
"""


def test_nothing_is_left_when_the_process_that_asked_is_killed(tmp_path):
    own = {k: v for k, v in os.environ.items() if k != "LVUTILS_ZYGOTE"}
    asks = subprocess.Popen([sys.executable, "-c", ASKS, tmp_path], stdout=subprocess.PIPE, text=True, env=own)
    kernel = int(asks.stdout.readline())
    zygote = psutil.Process(kernel).parent()
    folder = Path(next(c.laddr for c in zygote.net_connections("unix") if c.laddr.endswith("/zygote"))).parent
    assert folder.is_dir()
    asks.kill()
    asks.wait()
    asks.stdout.close()
    assert gone(lambda: not psutil.pid_exists(kernel) and not zygote.is_running())
    assert gone(lambda: not folder.exists())

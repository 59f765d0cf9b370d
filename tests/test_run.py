"""Runs: what a finished one leaves, and what a failed one does."""

import copy
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from conftest import gone, lvutils, read_json

from lvutils.press.execute import plan


def test_a_run_leaves_a_notebook_and_results_and_never_touches_its_source(mini, tmp_path):
    source = mini.read_bytes()
    out = tmp_path / "out"
    done = lvutils("run", mini, "-p", "shift=-2", "--profile", "quick", "--seed", "7", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "C1 fails here" in done.stdout
    assert mini.read_bytes() == source
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chapters", "out"]
    results = read_json(out / "results.json")
    assert results["parameters"] == {
        "profile": "quick",
        "seed": 7,
        "shift": -2.0,
        "n_draws": 50,
        "pause": 0.0,
        "trouble": "none",
        "data": "iris",
    }
    assert results["values"]["closed_form"]["value"] == -4.0
    assert [c["verdict"] for c in results["claims"]] == ["fails here"] * 3
    assert set(results["identity"]) == {"code", "package", "inputs", "versions"}
    assert results["cost"]["memory_mib"] > 50
    assert read_json(out / "parameters.json") == results["parameters"]
    assert "torch" in read_json(out / "environment.json")["versions"]
    injected = [c for c in read_json(out / "chapter.ipynb")["cells"] if "injected-parameters" in c["metadata"]["tags"]]
    assert "shift = -2.0" in "".join(injected[0]["source"])

    again = lvutils("run", mini, "-p", "shift=-2", "--profile", "quick", "--seed", "7", "--out", out)
    assert (again.returncode, "is there already" in again.stdout, "C1 fails here" in again.stdout) == (0, True, True)

    other = lvutils("run", mini, "-p", "shift=3", "--out", out)
    assert (other.returncode, "holds another run" in other.stderr) == (2, True)
    assert read_json(out / "results.json") == results


def test_a_failed_run_keeps_its_notebook_and_says_where_it_failed(mini, tmp_path):
    done = lvutils("run", mini, "-p", "trouble=raise", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "cell 4 failed: ValueError: planned; the notebook up to there is" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert "ValueError: planned" in (tmp_path / "out.failed" / "error.txt").read_text()
    kept = read_json(tmp_path / "out.failed" / "chapter.ipynb")
    assert any(o["output_type"] == "error" for c in kept["cells"] for o in c.get("outputs", []))


def test_a_kernel_that_dies_is_told_with_its_cell_and_its_notebook_is_kept(mini, tmp_path):
    done = lvutils("run", mini, "-p", "trouble=die", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "mini: the kernel died in cell 4 (out of memory, or killed); the notebook up to there is" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
    kept = read_json(tmp_path / "out.failed" / "chapter.ipynb")
    assert any("iris: 150 x 4" in text for c in kept["cells"] for o in c["outputs"] for text in o.get("text", []))


def test_a_cell_that_hangs_is_stopped(mini, tmp_path):
    done = lvutils("run", mini, "-p", "trouble=hang", "--timeout", "20", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "mini: cell 4 took longer than 20 s" in done.stderr


def test_a_readers_table_is_found_from_where_the_command_is_called(mini, tmp_path):
    (tmp_path / "mine.csv").write_text("a,b,label\n1,2,x\n3,4,y\n")
    done = lvutils("run", mini, "-p", "data=mine.csv", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(read_json(tmp_path / "out" / "results.json")["data"]) == ["mine"]

    (tmp_path / "bad.csv").write_text("a,b,label\n1,2,x\n3,four,y\n")
    done = lvutils("run", mini, "-p", "data=bad.csv", "--out", "out2", cwd=tmp_path)
    assert done.returncode == 1
    assert "DataError: bad.csv: line 3, column 'b' is 'four', expected a finite number" in done.stderr


def test_the_name_of_a_run_hangs_on_code_and_parameters(mini):
    name = plan(mini, {}).name
    assert plan(mini, {"shift": "1"}).name == name
    assert plan(mini, {"shift": "2"}).name != name
    mini.write_text(mini.read_text().replace("bound in ((1, 0.0)", "bound in ((1, 0.5)"))
    assert plan(mini, {}).name != name


def test_the_name_of_a_run_hangs_on_the_readers_file(mini, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("a,label\n1,x\n")
    name = plan(mini, {"data": str(table)}).name
    table.write_text("a,label\n2,x\n")
    assert plan(mini, {"data": str(table)}).name != name


def test_what_a_kernel_logs_of_itself_does_not_reach_the_reader(mini, mini_notebook, tmp_path):
    """Jupyter interrupts a kernel before it shuts it down; caught while answering, the kernel logs an error."""
    notebook = copy.deepcopy(mini_notebook)
    notebook["cells"][3]["source"] += (
        "\nfrom ipykernel.kernelapp import IPKernelApp\nIPKernelApp.instance().log.error('caught')"
    )
    mini.write_text(json.dumps(notebook))
    done = lvutils("run", mini, "--profile", "quick", "--out", tmp_path / "out")
    assert (done.returncode, "caught" in done.stderr) == (0, False), done.stderr


def test_only_what_a_run_made_is_replaced(mini, tmp_path):
    out = tmp_path / "out"
    assert lvutils("run", mini, "--profile", "quick", "--out", out).returncode == 0
    (out / "thesis.txt").write_text("three years")
    for extra in (["--force"], ["--force", "-p", "trouble=raise"]):
        done = lvutils("run", mini, "--profile", "quick", "--out", out, *extra)
        assert (done.returncode, "out holds thesis.txt, which no run made; move it" in done.stderr) == (2, True)
    assert (out / "thesis.txt").read_text() == "three years"
    (out / "thesis.txt").unlink()
    assert lvutils("run", mini, "--profile", "quick", "--out", out, "--force").returncode == 0


def test_a_user_s_own_settings_do_not_reach_a_run(mini, tmp_path):
    start = tmp_path / "ipython" / "profile_default" / "startup" / "mine.py"
    start.parent.mkdir(parents=True)
    start.write_text("import numpy as np\nnp.random.default_rng = lambda *a: 1 / 0\n")
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text('{"argv": ["/bin/false"], "display_name": "Mine", "language": "python"}')
    startup = tmp_path / "startup.py"
    startup.write_text("1 / 0\n")
    mine = {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_PATH": str(tmp_path / "jupyter")}
    mine |= {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter"), "PYTHONSTARTUP": str(startup)}
    done = lvutils("run", mini, "--profile", "quick", "--out", tmp_path / "out", **mine)
    assert done.returncode == 0, done.stderr


def test_a_long_folder_for_temporary_files_is_no_hindrance(mini, tmp_path):
    long = tmp_path / ("x" * 120)
    long.mkdir()
    done = lvutils("run", mini, "--profile", "quick", "--out", tmp_path / "out", TMPDIR=str(long))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_told_to_end_leaves_nothing(mini, tmp_path, number):
    out = tmp_path / "runs" / "out"
    command = [sys.executable, "-m", "lvutils.press.cli", "run", str(mini), "-p", "pause=60", "--out", str(out)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert gone(lambda: out.parent.is_dir() and any(out.parent.iterdir()))
    time.sleep(4)  # the kernel starts
    running.send_signal(number)
    said = running.communicate(timeout=60)[0]
    assert running.returncode != 0
    assert "Traceback" not in said, said
    assert list(out.parent.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next(mini, tmp_path):
    import platform

    left = tmp_path / f".out.{platform.node()}.999999999"
    other = tmp_path / ".out.another-machine.999999999"
    for folder in (left, other):
        folder.mkdir()
    assert lvutils("run", mini, "--profile", "quick", "--out", tmp_path / "out").returncode == 0
    assert (left.exists(), other.exists()) == (False, True)


WRITER = """\
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup would have it ignore
from lvutils.files import write_json
print("ready", flush=True)
k = 0
while True:
    k += 1
    write_json(Path(sys.argv[1]) / "results.json", {"k": k, "all": [k] * 20_000})
"""


def test_a_file_is_whole_whatever_kills_its_writer(tmp_path):
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # shown where the test fails
    rng = random.Random(seed)
    for _ in range(25):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.01, 0.2))
        writer.send_signal(rng.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]))
        writer.wait()
        if (tmp_path / "results.json").is_file():
            content = read_json(tmp_path / "results.json")
            assert content["all"] == [content["k"]] * 20_000
    assert (tmp_path / "results.json").is_file()

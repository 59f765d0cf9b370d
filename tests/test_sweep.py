"""Sweeps: checked whole before they start, taken up where they stood, whatever is killed; and their comparison."""

import copy
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
from conftest import gone, lvutils, read_json

from lvutils.press import sweep
from lvutils.press.compare import swept, table
from lvutils.press.errors import Misuse
from lvutils.press.notebook import dump
from lvutils.press.runstore import Store
from lvutils.record import ClaimRecord, Cost, Results, Value

KILLS = 25


def start(mini, *arguments, **environment):
    """Start a sweep as a person would, and go on; Ctrl-C reaches it even where the tests run in the background."""
    command = [sys.executable, "-m", "lvutils.press.cli", "sweep", str(mini), *map(str, arguments)]
    own = {k: v for k, v in os.environ.items() if k != "LVUTILS_ZYGOTE"}
    return subprocess.Popen(
        command,
        env={**own, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def without_times(address):
    """The table of a sweep, without what no two runs share."""
    return table(str(address)).drop(columns="cpu_seconds")


# --- before anything starts ---------------------------------------------------------------------------------------


def test_a_grid_is_every_combination_under_every_seed():
    points = sweep.grid({"a": ["1", "2"], "b": ["x"]}, [0, 5])
    assert points == [
        {"a": "1", "b": "x", "seed": 0},
        {"a": "1", "b": "x", "seed": 5},
        {"a": "2", "b": "x", "seed": 0},
        {"a": "2", "b": "x", "seed": 5},
    ]
    assert sweep.grid({}, []) == [{}]
    assert sweep.parse_seeds("0:3") == [0, 1, 2]
    assert sweep.parse_seeds("4,1") == [4, 1]
    for text in ("", "3:3", "a", "1:b"):
        with pytest.raises(Misuse, match="--seeds"):
            sweep.parse_seeds(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shift,n_draws\n1,50\n2\n", "line 3 has not as many cells as the header"),
        ("shift\n1,2\n", "line 2 has not as many cells as the header"),
        ("shift\n", "no rows"),
        ("", "no rows"),
    ],
)
def test_a_bad_list_of_points_is_one_line(tmp_path, text, said):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(Misuse, match=f"points.csv: {said}"):
        sweep.read_points(path)
    with pytest.raises(Misuse, match=r"no.csv: not a readable CSV file \(No such file"):
        sweep.read_points(tmp_path / "no.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "shift=1,2,9"], "parameter shift is 9, expected a float from -5 to 5"),
        (["-p", "shfit=1"], "unknown parameter shfit; did you mean shift?"),
        (["--seeds", "3:1"], "--seeds '3:1': expected FIRST:END"),
        (["--runs", "nosuch://place"], "cannot read nosuch://place"),
        (["--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_a_bad_sweep_is_one_line_and_runs_nothing(mini, tmp_path, arguments, said):
    runs = [] if "--runs" in arguments else ["--runs", tmp_path / "runs"]
    done = lvutils("sweep", mini, *arguments, *runs)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


# --- runs ---------------------------------------------------------------------------------------------------------


def test_failures_are_kept_told_and_left_alone_until_asked_for(mini, tmp_path):
    points = tmp_path / "points.csv"
    points.write_text("shift,trouble\n1,none\n2,raise\n")
    arguments = ["sweep", mini, "--points", points, "--profile", "quick", "--seeds", "0:2", "--runs", tmp_path / "runs"]
    done = lvutils(*arguments)
    assert done.returncode == 1
    assert "4 runs, 0 there already, 4 to do" in done.stdout
    assert "2 done, 2 failed, 0 lost" in done.stdout
    assert done.stderr.count("cell 4 failed: ValueError: planned") == 2
    store = Store(str(tmp_path / "runs"), "mini")
    assert (len(store.names("")), len(store.names(".failed"))) == (2, 2)
    name = min(store.names(".failed"))
    assert "second line" in store.read(f"{name}.failed", "error.txt")
    kept = read_json(tmp_path / "runs" / "mini" / f"{name}.failed" / "chapter.ipynb")
    assert any(o["output_type"] == "error" for c in kept["cells"] for o in c.get("outputs", []))

    again = lvutils(*arguments)
    assert (again.returncode, "2 there already, 0 to do" in again.stdout) == (1, True)
    assert again.stderr.count("cell 4 failed: ValueError: planned") == 2
    retried = lvutils(*arguments, "--retry-failed")
    assert (retried.returncode, "2 there already, 2 to do" in retried.stdout) == (1, True)

    compared = lvutils("compare", tmp_path / "runs" / "mini")
    assert compared.returncode == 0, compared.stderr
    folder = tmp_path / "runs" / "mini" / "comparison"
    frame = pd.read_csv(folder / "runs.csv")
    pd.testing.assert_frame_equal(frame, pd.read_parquet(folder / "runs.parquet"), check_dtype=False)
    assert frame["parameter seed"].tolist() == [0, 1]
    page = (folder / "report.html").read_text()
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page)
    assert "2 runs of mini" in page
    assert "Draws lie above." in page
    assert 'href="../' in page, "the notebook of each run"
    unknown = lvutils("compare", tmp_path / "runs" / "mini", "--by", "shft")
    assert (unknown.returncode, "unknown parameter shft; did you mean shift?" in unknown.stderr) == (2, True)
    empty = lvutils("compare", tmp_path / "runs" / "other")
    assert (empty.returncode, "no finished runs there" in empty.stderr) == (2, True)


def test_runs_under_other_versions_are_no_further_seeds(tmp_path):
    told = []
    for name, date, torch in (("a", "2026-01-02", "1"), ("b", "2026-01-02", "1"), ("c", "2026-01-03", "2")):
        folder = tmp_path / "mini" / name
        folder.mkdir(parents=True)
        results = Results("mini", {"seed": 0}, {}, {}, {}, [], name, {"code": "same"})
        results.cost = Cost(1.0, 1, date, {"torch": torch})
        results.write(folder / "results.json")
    (tmp_path / "mini" / "old").mkdir()
    (tmp_path / "mini" / "old" / "results.json").write_text('{"schema": 1}')
    assert table(str(tmp_path / "mini"), told.append)["run"].tolist() == ["c"]
    assert told == [
        "left out old: results of schema 1, expected 2; run or refresh the chapter again",
        (
            "runs of 2 states (code, package, data, models, versions); comparing the 1 of the newest (2026-01-03), "
            "leaving out 2"
        ),
    ]


def test_a_list_is_swept_and_compared(mini_notebook, tmp_path):
    notebook = copy.deepcopy(mini_notebook)
    notebook["cells"][0]["source"] += "\nweights: list[float] = [1, 2]  # added up; 1 to 3 numbers from 0 to 9"
    work = notebook["cells"][3]
    work["source"] = work["source"].replace("draws = shift +", "draws = sum(weights) + shift +")
    path = tmp_path / "mini.ipynb"
    path.write_text(dump(notebook))
    runs = tmp_path / "runs"
    said = lvutils("sweep", path, "-p", "weights=[0.5,1],[3]", "--profile", "quick", "--runs", runs)
    assert said.returncode == 0, said.stderr
    frame = table(str(runs / "mini"))
    assert swept(frame) == ["weights"]
    assert frame["parameter weights"].tolist() == ["0.5,1.0", "3.0"]
    first, second = frame["value mean"]
    assert second - first == pytest.approx(1.5)
    compared = lvutils("compare", runs / "mini")
    assert compared.returncode == 0, compared.stderr
    page = (runs / "mini" / "comparison" / "report.html").read_text()
    assert 'alt="mean [1] against weights"' not in page
    assert 'alt="mean against weights"' in page
    assert "closed_form against weights" not in page, "no swept parameter moves it"


def test_a_run_that_failed_after_its_scorecard_is_not_a_finished_one(tmp_path):
    for folder, files in {
        "a": ["results.json"],
        "b.failed": ["results.json", "error.txt"],
        ".c.7": ["results.json"],
    }.items():
        (tmp_path / "mini" / folder).mkdir(parents=True)
        for file in files:
            (tmp_path / "mini" / folder / file).write_text("{}")
    store = Store(str(tmp_path), "mini")
    assert (store.names(""), store.names(".failed")) == ({"a"}, {"b"})


def processes_of(driver):
    """The processes below a sweep that it makes sense to kill: workers, and kernels."""
    workers, kernels = [], []
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            command, parent = " ".join(process.cmdline()), " ".join(process.parent().cmdline())
        except (psutil.Error, AttributeError):
            continue
        if "spawn_main" in command:
            workers.append(process)
        elif "press.zygote" in command and "press.zygote" in parent:
            kernels.append(process)
    return workers, kernels


def test_whatever_is_killed_nothing_is_lost_and_nothing_runs_twice(mini, tmp_path):
    """Kills driver, workers and kernels at random points; the table is that of an undisturbed sweep."""
    seed = int.from_bytes(os.urandom(8))
    print(f"kills are drawn with seed {seed}")  # shown where the test fails
    rng = random.Random(seed)
    arguments = ["-p", "shift=-1,0,1", "-p", "pause=0.3", "--seeds", "0:8", "--profile", "quick", "--workers", "2"]
    calm = lvutils("sweep", mini, *arguments, "--runs", tmp_path / "calm")
    assert calm.returncode == 0, calm.stderr

    runs, kills, finished, seen = tmp_path / "runs", {"driver": 0, "worker": 0, "kernel": 0}, {}, []
    while True:
        driver = start(mini, *arguments, "--runs", runs)
        seen.append(psutil.Process(driver.pid))
        early = rng.random() < 0.2  # most kills fall into the time when something runs
        while driver.poll() is None:
            time.sleep(rng.uniform(0.05, 0.6))
            workers, kernels = processes_of(driver)
            seen += workers + kernels
            if sum(kills.values()) >= KILLS or not (kernels or (early and workers)):
                continue
            below = {"driver": [psutil.Process(driver.pid)], "worker": workers, "kernel": kernels}
            kind = "driver" if early else rng.choices(list(below), [1, 2, 4])[0]
            try:
                rng.choice(below[kind]).kill()
            except (IndexError, psutil.NoSuchProcess):
                continue
            kills[kind] += 1
            if kind == "driver":
                break
        said = driver.communicate()[0]
        for path in runs.glob("mini/*/results.json"):
            assert finished.setdefault(path, path.stat().st_mtime_ns) == path.stat().st_mtime_ns, "a run was repeated"
        if driver.returncode == 0:
            if sum(kills.values()) >= KILLS:
                break
            # All done before enough was killed: forget half of the runs, and go on.
            for path in rng.sample(sorted(finished), len(finished) // 2):
                shutil.rmtree(path.parent)
                del finished[path]
        else:
            assert driver.returncode == -signal.SIGKILL or (driver.returncode == 1 and " 0 failed" in said), said
    assert all(kills.values()), kills
    pd.testing.assert_frame_equal(without_times(runs / "mini"), without_times(tmp_path / "calm" / "mini"))
    assert not [p.name for p in (runs / "mini").iterdir() if p.name.startswith(".") and p.name != ".claims"]
    assert not list(runs.glob("mini/*.failed"))
    assert gone(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in seen))


def test_no_run_is_tied_to_a_worker_that_is_busy(tmp_path, monkeypatch):
    def work(*_, **__):
        from distributed import get_worker

        time.sleep(0.2)
        waiting = sum(task.state == "ready" for task in get_worker().state.tasks.values())
        return ("lost", f"{waiting} runs wait at this worker") if waiting else ("done", "")

    monkeypatch.setattr(sweep, "work", work)
    monkeypatch.setattr(sweep.provisioner, "use", lambda: None)
    plans = [SimpleNamespace(path=tmp_path, given={}, name=f"{number:016x}") for number in range(8)]
    outcome = sweep.Outcome(0, 0, {}, {})
    with sweep._client(2, None) as client:
        sweep._drive(client, plans, SimpleNamespace(chapter="mini", address=str(tmp_path)), outcome, None)
    assert (outcome.done, outcome.lost) == (8, {})


def test_ctrl_c_says_how_to_go_on(mini, tmp_path):
    driver = start(mini, "-p", "pause=30", "--profile", "quick", "--runs", tmp_path / "runs")
    while not processes_of(driver)[1]:
        assert driver.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    driver.send_signal(signal.SIGINT)
    said = driver.communicate(timeout=60)[0]
    assert driver.returncode == 130, said
    assert "interrupted; the same command goes on from here" in said
    assert "Traceback" not in said


def test_two_sweeps_at_once_share_the_work(mini, tmp_path):
    arguments = [
        "-p",
        "shift=-2,2",
        "-p",
        "pause=0.5",
        "--seeds",
        "0:4",
        "--profile",
        "quick",
        "--runs",
        tmp_path / "runs",
    ]
    both = [start(mini, *arguments, "--workers", "1") for _ in range(2)]
    for driver in both:
        said = driver.communicate(timeout=300)[0]
        assert driver.returncode == 0, said
    assert len(table(str(tmp_path / "runs" / "mini"))) == 8


def test_a_cluster_of_ones_own_and_an_object_store(mini, tmp_path):
    from distributed import Client
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    cloud = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    os.environ.update(cloud)
    running, address = [], "s3://shelf/runs"
    try:
        import s3fs

        s3fs.S3FileSystem().mkdir("shelf")
        dask = [sys.executable, "-m", "dask"]
        file = tmp_path / "scheduler.json"
        where = ["--scheduler-file", str(file)]
        running.append(
            subprocess.Popen(
                [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *where],
                stderr=subprocess.DEVNULL,
            )
        )
        while not file.is_file() or not file.stat().st_size:
            assert running[0].poll() is None
            time.sleep(0.1)
        for _ in range(2):
            running.append(
                subprocess.Popen(
                    [*dask, "worker", "--nthreads", "1", "--no-dashboard", *where], stderr=subprocess.DEVNULL
                )
            )
        scheduler = read_json(file)["address"]
        with Client(scheduler) as client:
            client.wait_for_workers(2, timeout=60)
        arguments = [
            "sweep",
            mini,
            "-p",
            "shift=0,1",
            "-p",
            "trouble=none,raise",
            "--profile",
            "quick",
            "--runs",
            address,
        ]
        done = lvutils(*arguments, "--scheduler", scheduler)
        assert "2 done, 2 failed, 0 lost" in done.stdout, done.stderr
        store = Store(address, "mini")
        assert len(store.names("")) == 2
        assert "ValueError: planned" in store.read(f"{min(store.names('.failed'))}.failed", "error.txt")
        again = lvutils(*arguments, "--scheduler", scheduler)
        assert "2 there already, 0 to do" in again.stdout
        frame = table(f"{address}/mini")
        assert swept(frame) == ["shift"]
        assert frame["value closed_form"].tolist() == [0.0, 2.0]
        compared = lvutils("compare", f"{address}/mini", "--out", tmp_path / "out")
        assert compared.returncode == 0, compared.stderr
        assert lvutils("compare", f"{address}/mini").returncode == 2
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()
        server.stop()
        for name in cloud:
            del os.environ[name]


def test_results_that_are_cut_count_as_not_finished_and_stand_in_no_way(mini, tmp_path):
    runs = tmp_path / "runs [1]*?"
    arguments = ("sweep", mini, "-p", "shift=1,2", "--profile", "quick", "--runs", runs, "--workers", "1")
    assert lvutils(*arguments).returncode == 0
    store = Store(str(runs), "mini")
    cut = sorted(store.names(""))[0]
    file = runs / "mini" / cut / "results.json"
    file.write_text(file.read_text()[:100])
    assert not store.has(cut)
    again = lvutils(*arguments)
    assert f"counts as not finished: {cut}: not JSON" in again.stdout
    assert "2 runs, 1 there already, 1 to do" in again.stdout
    assert again.returncode == 0, again.stderr
    assert store.has(cut)


def test_text_of_a_stranger_s_runs_does_not_run_in_a_reader_s_browser(tmp_path):
    evil = '<img src=x onerror="alert(1)">'
    folder = tmp_path / "runs" / "<b>mini"
    for seed in (0, 1):
        results = Results(
            "mini", {"seed": seed, "profile": evil, evil: f"{evil}{seed}"}, {}, {}, {}, [], f"{seed}", {"code": evil}
        )
        results.values = {evil: Value(float(seed))}
        results.claims = [ClaimRecord(evil, evil, evil, evil, evil, {}, "holds", evil)]
        results.cost = Cost(1.0, 1, evil, {"torch": evil})
        (folder / f"{seed}").mkdir(parents=True)
        results.write(folder / f"{seed}" / "results.json")
    done = lvutils("compare", folder)
    assert done.returncode == 0, done.stderr
    page = (folder / "comparison" / "report.html").read_text()
    assert "onerror" in page
    assert "<img src=x" not in page
    assert "<b>mini" not in page


STRANGER = """\
import os, sys
from distributed import Client
try:
    os.setuid(65534)
except PermissionError:
    pass  # tests that are not run by root try as the same user, who has no credentials either
try:
    with Client(sys.argv[1].replace("tls://", sys.argv[2]), timeout=5) as client:
        print("ran", client.submit(os.getuid).result(timeout=5))
except Exception as error:
    print("refused", type(error).__name__)
"""


def test_no_other_user_of_the_machine_runs_code_on_the_workers_of_a_sweep():
    from lvutils.press import sweep as sweeping

    with sweeping._client(1, None) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        assert client.submit(int, "7").result(timeout=60) == 7
        for protocol in ("tcp://", "tls://"):
            command = [sys.executable, "-c", STRANGER, address, protocol]
            said = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
            assert said.startswith("refused"), said


def test_a_scheduler_without_workers_is_told_and_one_that_goes_away_is_one_line(mini, tmp_path):
    file = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    cluster = subprocess.Popen([*dask, "--scheduler-file", str(file)], stderr=subprocess.DEVNULL)
    try:
        assert gone(lambda: file.is_file() and file.stat().st_size)
        address = read_json(file)["address"]
        arguments = ["sweep", mini, "-p", "shift=1,2", "--runs", tmp_path / "runs", "--scheduler", address]
        command = [sys.executable, "-u", "-m", "lvutils.press.cli", *map(str, arguments)]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = [driver.stdout.readline() for _ in range(2)]
        assert said[1] == f"the scheduler at {address} has no workers; waiting for one (Ctrl-C ends it)\n", said
    finally:
        cluster.kill()
        cluster.wait()
    _, told = driver.communicate(timeout=120)
    assert driver.returncode == 1
    lines = [line for line in told.replace("\r", "\n").splitlines() if "?run/s" not in line and line.strip()]
    assert lines == [
        "lvutils: the scheduler went away, 2 runs are not done; with another, the command goes on from here"
    ]

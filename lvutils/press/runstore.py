"""Where runs are kept: a folder, or any other place that fsspec has an address for.

One folder a run, ``CHAPTER/NAME``, that is there whole or not at all: moved into place on a disk, elsewhere complete
when its ``results.json``, written last, is there. A failed run is ``CHAPTER/NAME.failed``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from lvutils.press import execute
from lvutils.press.errors import KernelDied, Misuse, RunFailed
from lvutils.record import RecordError, Results

READERS = 16  # files read at once, from a store far away
MARKS = {"": "results.json", ".failed": "error.txt"}  # the file that says that a folder is complete


class Store:
    """The runs of one chapter.

    address: the folder of all runs, a path or an fsspec address. chapter: the chapter's name.
    Raises Misuse for an address that cannot be read.
    """

    def __init__(self, address: str, chapter: str):
        try:
            self.files, root = fsspec.core.url_to_fs(address)
            self.local = isinstance(self.files, LocalFileSystem)
            self.address = os.path.abspath(root) if self.local else address.rstrip("/")
            self.root = f"{os.path.abspath(root) if self.local else root.rstrip('/')}/{chapter}"
            self.chapter = chapter
            self.names("")
        except Exception as error:  # each implementation of fsspec has errors of its own
            raise Misuse(f"cannot read {address}: {_line(error)}") from None

    def probe(self) -> None:
        """Write and remove a small file, so that a place that cannot be written is found out first. Raises Misuse."""
        file = f"{self.root}/.probe-{uuid.uuid4().hex}"
        try:
            self.files.makedirs(self.root, exist_ok=True)
            self.files.pipe_file(file, b"probe")
            self.files.rm_file(file)
        except Exception as error:
            raise Misuse(f"cannot write to {self.root}: {_line(error)}") from None

    def names(self, kind: str) -> set[str]:
        """Names of the finished runs, or with kind ".failed" of the failed ones."""
        self.files.invalidate_cache()
        marks = (path.split("/")[-2:] for path in self.files.find(self.root, maxdepth=2))  # a name is no pattern here
        found = {place[0].removesuffix(kind) for place in marks if place[-1] == MARKS[kind] and place[0].endswith(kind)}
        return {name for name in found if "." not in name}  # a run that failed after its scorecard holds results, too

    def has(self, name: str) -> bool:
        """Whether a run is finished, with results that can be read."""
        self.files.invalidate_cache()
        return self.files.exists(f"{self.root}/{name}/{MARKS['']}") and name in self.readable([name])[0]

    def read(self, name: str, file: str) -> str:
        """A file of a run, or of a failed one, as text."""
        return self.files.cat_file(f"{self.root}/{name}/{file}").decode()

    def readable(self, names: Iterable[str]) -> tuple[set[str], list[str]]:
        """Those of some finished runs whose results can be read, and a line for each whose file is cut or foreign."""
        found, unreadable = self._read(sorted(names))
        return set(found), unreadable

    def results(self, most: int | None = None) -> tuple[dict[str, Results], list[str]]:
        """The results of the finished runs by name, in the order of the names, and those that are not readable, a line
        each (runs of an earlier form). most: read so many at the most.
        """
        return self._read(sorted(self.names(""))[:most])

    def _read(self, names: list[str]) -> tuple[dict[str, Results], list[str]]:
        found, unreadable = {}, []
        with ThreadPoolExecutor(READERS) as readers:  # of one file each: others take a path for a pattern
            texts = list(readers.map(self.files.cat_file, [f"{self.root}/{name}/{MARKS['']}" for name in names]))
        for name, text in zip(names, texts, strict=True):
            try:
                found[name] = Results.parse(text.decode(), name)
            except (RecordError, UnicodeDecodeError) as error:
                unreadable.append(str(error) if isinstance(error, RecordError) else f"{name}: not UTF-8 text")
        return found, unreadable

    def execute(self, todo: execute.Plan, timeout: float | None = None) -> None:
        """Execute a run and keep it. Raises RunFailed after a failed one is kept, KernelDied where nothing is."""
        if self.local:
            with self._claim(todo.name):
                if not self.has(todo.name):  # while we waited, another sweep may have run it
                    for part in Path(self.root).glob(f".{todo.name}.*"):
                        shutil.rmtree(part, ignore_errors=True)  # of a process that was killed: we hold the claim
                    try:
                        execute.execute(todo, Path(self.root, todo.name), timeout=timeout, quiet=True)
                    except KernelDied:
                        self.forget_failure(todo.name)
                        raise
            return
        with tempfile.TemporaryDirectory(prefix="lv-") as folder:
            out = Path(folder, todo.name)
            try:
                execute.execute(todo, out, timeout=timeout, quiet=True)
            except KernelDied:
                raise
            except RunFailed:
                self._send(out.with_name(f"{out.name}.failed"), ".failed")
                raise
            self._send(out, "")
        self.forget_failure(todo.name)

    def forget_failure(self, name: str) -> None:
        """Remove what a failed run left."""
        folder = f"{self.root}/{name}.failed"
        if self.files.exists(folder):
            self.files.rm(folder, recursive=True)

    def _send(self, folder: Path, kind: str) -> None:
        if not folder.is_dir():
            return
        last = MARKS[kind]
        for path in sorted(folder.iterdir(), key=lambda p: p.name == last):
            self.files.pipe_file(f"{self.root}/{folder.name}/{path.name}", path.read_bytes())

    @contextmanager
    def _claim(self, name: str) -> Iterator[None]:
        """Wait until no other process runs the same, on this machine or on one that shares the folder.

        A lock on one byte of one file: it goes with the process that holds it, however that ends.
        """
        Path(self.root).mkdir(parents=True, exist_ok=True)
        with open(f"{self.root}/.claims", "ab") as file:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, int(name[:15], 16))
            yield


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

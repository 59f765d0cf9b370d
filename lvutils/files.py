"""Files written whole or not at all, and JSON read with one clear error."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path


class FileError(ValueError):
    """A file is not what it must be. The message, one line, names it and what was expected."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old file or the new one, never a part, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system lets one (a rename counts only then)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    write_bytes(path, text.encode())


def parse_json(text: str) -> object:
    """The content of a JSON text. Raises ValueError, one line, also for what is nested too deeply to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path, keys: Iterable[str] = ()) -> dict:
    """The object that a JSON file holds. keys: which it must have. Raises FileError."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path.name}: {error.strerror or error}") from None
    except ValueError as error:
        raise FileError(f"{path.name}: not a JSON file ({error})") from None
    missing = [key for key in keys if key not in content] if isinstance(content, dict) else list(keys)
    if missing or not isinstance(content, dict):
        raise FileError(f"{path.name}: no {', '.join(missing) or 'object'} in it, expected a JSON object with it")
    return content


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

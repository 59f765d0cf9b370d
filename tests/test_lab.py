"""What ``make lab`` brings: settings of JupyterLab, and chapters that are saved as they are stored."""

import copy
import json

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from traitlets.config import Config

from lvutils.paths import ROOT
from lvutils.press import catalogue, lab
from lvutils.press.notebook import dump, read_notebook


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """Jupyter's manager of files with our hook, over a folder that counts as that of the chapters."""
    monkeypatch.setattr(lab, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks" / "part").mkdir(parents=True)
    hook = Config(FileContentsManager={"pre_save_hook": lab.clean_on_save})
    return FileContentsManager(root_dir=str(tmp_path), config=hook)


def test_a_chapter_that_is_opened_and_saved_is_the_same_to_the_byte(manager, tmp_path):
    chapter = next(p for p in catalogue.written())
    target = tmp_path / "notebooks" / "part" / chapter.notebook.name
    target.write_bytes(chapter.notebook.read_bytes())
    opened = manager.get(f"notebooks/part/{target.name}", content=True)
    manager.save({"type": "notebook", "format": "json", "content": opened["content"]}, f"notebooks/part/{target.name}")
    assert target.read_text() == chapter.notebook.read_text()


def test_what_a_front_end_leaves_in_a_chapter_is_not_saved(manager, tmp_path, stored_mini):
    target = tmp_path / "notebooks" / "part" / "mini.ipynb"
    clean = read_notebook(stored_mini)
    worn = copy.deepcopy(clean)
    worn["metadata"]["widgets"] = {"state": {}}
    worn["metadata"]["language_info"]["version"] = "3.99"
    for k, cell in enumerate(worn["cells"]):
        cell["execution_count"] = 40 + k
        cell["metadata"]["execution"] = {"shell.execute_reply": "2026-01-01T00:00:00"}
        cell["metadata"]["trusted"] = True
    worn["cells"][3]["outputs"].append({"output_type": "stream", "name": "stderr", "text": " 40%|####    | 2/5"})
    manager.save(
        {"type": "notebook", "format": "json", "content": nbformat.from_dict(worn)}, "notebooks/part/mini.ipynb"
    )
    assert target.read_text() == dump(clean)


def test_other_notebooks_are_saved_as_they_are(manager, tmp_path):
    cell = nbformat.v4.new_code_cell("1", execution_count=7, metadata={"mine": 1})
    content = nbformat.v4.new_notebook(cells=[cell], metadata={"mine": 2})
    manager.save({"type": "notebook", "format": "json", "content": content}, "own.ipynb")
    saved = json.loads((tmp_path / "own.ipynb").read_text())
    assert (saved["metadata"], saved["cells"][0]["execution_count"]) == ({"mine": 2}, 7)


def test_a_notebook_that_cannot_be_cleaned_is_saved_all_the_same(manager, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "clean", lambda notebook: 1 / 0)
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("kept")])
    with pytest.warns(UserWarning, match="saved as it is"):
        manager.save({"type": "notebook", "format": "json", "content": content}, "notebooks/part/x.ipynb")
    assert "kept" in (tmp_path / "notebooks" / "part" / "x.ipynb").read_text()


def test_jupyterlab_does_not_save_by_itself_nor_ask_for_news():
    overrides = json.loads((ROOT / "lvutils" / "press" / "lab" / "overrides.json").read_text())
    assert overrides["@jupyterlab/docmanager-extension:plugin"]["autosave"] is False
    assert overrides["@jupyterlab/apputils-extension:notification"] == {"checkForUpdates": False, "fetchNews": "false"}
    assert "--config=lvutils/press/lab/server.py" in (ROOT / "Makefile").read_text()

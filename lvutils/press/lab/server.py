"""Configuration of Jupyter's server for ``make lab``."""

from pathlib import Path

from lvutils.press.lab import clean_on_save

c = get_config()  # noqa: F821 - Jupyter defines it
c.FileContentsManager.pre_save_hook = clean_on_save
c.LabApp.app_settings_dir = str(Path(__file__).parent)  # overrides.json

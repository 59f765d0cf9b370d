"""pyproject.toml, requirements.lock and environment.yml carry the same pins."""

import re
import tomllib

import yaml

from lvutils.paths import ROOT


def pins(lines):
    return dict(re.fullmatch(r"([\w.-]+)(?:\[\w+\])?==([\w.+!-]+)", line).groups() for line in lines)


def normal(names):
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in names.items()}


def direct():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]["test"]
    return pins(project["project"]["dependencies"] + extras), pins(project["build-system"]["requires"])


def test_every_direct_pin_stands_in_the_lock():
    lock = normal(pins((ROOT / "requirements.lock").read_text().split()))
    for part in direct():
        assert normal(part).items() <= lock.items()


def test_the_conda_environment_carries_the_direct_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pip[-1] == "-e ."
    assert pins(pip[:-1]) == direct()[0]


def test_what_is_installed_is_what_is_locked():
    from importlib.metadata import version

    for name, locked in pins((ROOT / "requirements.lock").read_text().split()).items():
        assert version(name).split("+")[0] == locked, name

"""`uv.lock` fits `pyproject.toml` and `constraints.txt`; `make lock` renews it."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "uv.lock").read_text()
LOCK = tomllib.loads(TEXT)
PACKAGES = {package["name"]: package for package in LOCK["package"]}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normalised(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def test_lock_has_the_requirements_of_the_project():
    extras = PROJECT["optional-dependencies"]
    wanted = {normalised(each) for group in (PROJECT["dependencies"], *extras.values()) for each in group} - {"cxrnet"}
    metadata = PACKAGES["cxrnet"]["metadata"]
    locked = {(one["name"], one.get("specifier", "")) for one in metadata["requires-dist"] if one["name"] != "cxrnet"}
    assert {name for name, _ in locked} == wanted
    assert set(metadata["provides-extras"]) == set(extras)
    floors = {(normalised(each), re.sub(r"^[\w.\-]+(\[.*\])?|;.*| ", "", each)) for each in PROJECT["dependencies"]}
    assert floors <= locked


def test_lock_has_the_versions_of_the_constraints():
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    locked = {name: PACKAGES[normalised(name)]["version"] for name in pins if normalised(name) in PACKAGES}
    assert locked == {name: pins[name] for name in locked}
    assert len(locked) > 40


def test_lock_names_the_public_index_alone_and_a_hash_for_every_file():
    assert set(re.findall(r"https?://[^/\"]+", TEXT)) == {"https://files.pythonhosted.org", "https://pypi.org"}
    files = re.findall(r"\{ url = .*", TEXT)
    assert files
    assert all('hash = "sha256:' in line for line in files)


def test_lock_is_less_than_a_megabyte():
    assert len(TEXT.encode()) < 1_000_000

"""The house rules that a program can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cxrnet

SOURCE = Path(cxrnet.__file__).parent
FLOORS = {
    "errors": 0,
    "atomic": 1,
    "parallel": 1,
    "model": 2,
    "imaging": 3,
    "nn": 3,
    "plots": 3,
    "data": 3.5,
    "export": 4,
    "screening": 4,
    "training": 4.5,
    "node": 5,
    "evaluation": 5,
    "bench": 5,
    "cli": 6,
}
WITHOUT_TORCH = {"errors", "atomic", "parallel", "model", "imaging", "plots", "screening", "node"}
MAKERS = {"torch", "cxrnet.nn", "cxrnet.data", "cxrnet.training"}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(module):
    return module.removeprefix("cxrnet.").split(".")[0]


def room(path):
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    if room(path) in ("__init__", "__main__"):
        return
    floor = FLOORS[room(path)]
    for module in imports(path):
        if module.startswith("cxrnet.") and room_of(module) != room(path):
            assert FLOORS[room_of(module)] < floor, f"{room(path)} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_wing_that_uses_models_knows_nothing_of_the_one_that_makes_them(path):
    if room(path) in WITHOUT_TORCH:
        for module in imports(path):
            assert not any(module == maker or module.startswith(f"{maker}.") for maker in MAKERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_room_is_a_lumber_room(path):
    assert path.stem not in {"utils", "common", "helpers", "base", "core", "misc"}
    assert len(path.read_text().splitlines()) <= 300


def test_public_door_is_complete():
    for name in cxrnet.__all__:
        assert getattr(cxrnet, name).__name__ == name
    assert set(cxrnet.__all__) == set(cxrnet._HOMES)


def test_public_door_names_what_it_has_not():
    with pytest.raises(AttributeError, match="module 'cxrnet' has no attribute 'nix'"):
        _ = cxrnet.nix


def test_importing_the_package_imports_nothing_else():
    program = "import sys, cxrnet; print([name for name in ('numpy', 'cv2', 'pydicom', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_unpickled():
    for path in MODULES:
        assert "pickle" not in set(imports(path))
        assert "allow_pickle=True" not in path.read_text()
        assert "torch.load" not in path.read_text()

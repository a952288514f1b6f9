"""The house rules that a program can check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cxrnet

SOURCE = Path(cxrnet.__file__).parent
FLOORS = {
    "errors": 0,
    "arrays": 0,
    "atomic": 1,
    "table": 1,
    "spelling": 1,
    "lock": 1,
    "parallel": 1,
    "quiet": 1,
    "model": 2,
    "imaging": 3,
    "nn": 3,
    "plots": 3,
    "data": 3.5,
    "export": 4,
    "screening": 4,
    "training": 4.5,
    "bench": 4.5,
    "node": 5,
    "web": 5.5,
    "evaluation": 5,
    "cli": 6,
}
WITHOUT_TORCH = {
    "errors",
    "arrays",
    "atomic",
    "table",
    "spelling",
    "lock",
    "parallel",
    "quiet",
    "model",
    "imaging",
    "plots",
    "screening",
    "node",
    "web",
}
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


def test_imports_go_down_only():
    wrong = [
        f"{path.relative_to(SOURCE)} imports {module}"
        for path in MODULES
        if room(path) not in ("__init__", "__main__")
        for module in imports(path)
        if module.startswith("cxrnet.") and room_of(module) != room(path)
        if FLOORS[room_of(module)] >= FLOORS[room(path)]
    ]
    assert wrong == []


def test_inference_does_not_import_torch():
    wrong = [
        f"{path.relative_to(SOURCE)} imports {module}"
        for path in MODULES
        if room(path) in WITHOUT_TORCH
        for module in imports(path)
        if any(module == maker or module.startswith(f"{maker}.") for maker in MAKERS)
    ]
    assert wrong == []


def test_no_utils_modules():
    assert [path for path in MODULES if path.stem in {"utils", "common", "helpers", "base", "core", "misc"}] == []


def test_no_file_is_longer_than_300_lines():
    assert [path for path in MODULES if len(path.read_text().splitlines()) > 300] == []


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
        loads = [line for line in path.read_text().splitlines() if "torch.load(" in line]
        assert all("weights_only=True" in line for line in loads), path  # tensors and plain values only

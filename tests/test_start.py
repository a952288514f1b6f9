"""What a start may import: nothing that it does not need, so that one radiograph is screened at once."""

import subprocess
import sys

import cv2
import pytest

from cxrnet.cli.commands import COMMANDS, GROUPS, build_app
from tests.material import draw_xray

NEVER = {
    "gdcm", "h5py", "highdicom", "jinja2", "kymatio", "lightning", "matplotlib", "onnx", "onnxscript", "openjpeg",
    "pandas", "pydicom", "pylibjpeg", "ray", "scipy", "sklearn", "torch",
}  # fmt: skip
"""What the process that screens never imports: research, plotting, and the codecs, which its reader has."""

PIPELINE = {"cv2", "cxrnet", "numpy", "platformdirs", "pydantic"}
"""All that `from cxrnet import Pipeline` brings; what these bring themselves aside."""

OF_THESE = {"annotated_types", "pydantic_core", "typing_extensions", "typing_inspection"}


def _imported(program, *arguments):
    """The libraries that a program has imported when it ends, without those of the standard library."""
    tell = "\nimport sys; print('imported', *{name.split('.')[0] for name in sys.modules})"
    return _libraries(_said(program + tell, *arguments)[-1].split()[1:])


def _said(program, *arguments):
    """The lines that a program prints."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _libraries(modules):
    return {name for name in set(modules) - sys.stdlib_module_names if not name.startswith("_")}


@pytest.fixture(scope="module")
def bare():
    """What every program of this environment imports, as for an editable installation."""
    return _imported("pass")


def test_package_imports_the_standard_library_alone(bare):
    assert _imported("import cxrnet") - bare == {"cxrnet"}


def test_pipeline_imports_what_it_needs_and_no_more(bare):
    found = _imported("from cxrnet import Pipeline")
    assert found - bare - OF_THESE <= PIPELINE | {"onnxruntime"}


def test_command_line_imports_no_array_library_before_a_verb_is_run():
    assert not _imported("from cxrnet.cli import app") & (NEVER | {"PIL", "cv2", "numpy", "onnxruntime", "pydantic"})


def test_command_that_runs_is_imported_alone_and_an_unknown_one_with_all():
    assert [one.name for one in build_app("screen").registered_commands] == ["screen"]
    assert build_app("screen").registered_groups == []
    assert [one.name for one in build_app("data").registered_groups] == ["data"]
    for name in (None, "--help", "scren"):
        assert [one.name for one in build_app(name).registered_commands] == list(COMMANDS)
        assert [one.name for one in build_app(name).registered_groups] == list(GROUPS)


def test_screening_imports_its_own_command_alone_no_codec_and_no_plotting_library(small_bundle, tmp_path):
    cv2.imwrite(str(tmp_path / "xray.png"), draw_xray(50)[0])
    program = (
        "import gc, sys; sys.argv[0] = 'cxrnet'; from cxrnet.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(gc.isenabled(), [n for n in ('scp', 'train') if f'cxrnet.cli.{n}' in sys.modules])\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    arguments = ["screen", str(tmp_path / "xray.png"), "--out", str(tmp_path / "out"), "--bundle", str(small_bundle)]
    *_, state, modules = _said(program, *arguments)
    assert (tmp_path / "out" / "xray" / "panel.png").is_file()
    assert state == "True []"
    assert "onnxruntime" in modules.split()
    assert not _libraries(modules.split()) & NEVER

"""What the error tree promises."""

import pytest

from cxrnet.errors import MissingExtraError, require


def test_require_names_the_missing_library_and_the_extra():
    words = r"train: no_such is not installed; pip install 'cxrnet\[train\]'"
    with pytest.raises(MissingExtraError, match=words), require("train", "train"):
        import no_such  # noqa: F401


def test_require_lets_a_missing_module_of_the_program_pass():
    with pytest.raises(ModuleNotFoundError), require("train", "train"):
        import cxrnet.no_such  # noqa: F401

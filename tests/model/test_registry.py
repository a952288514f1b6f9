import shutil

import pytest

from cxrnet.errors import BundleError
from cxrnet.model import registry
from cxrnet.model.bundle import write_bundle
from cxrnet.model.registry import (
    HOME_VARIABLE,
    bundle_folders,
    bundles_folder,
    hidden_folders,
    is_shipped,
    open_bundle,
)
from tests.model.conftest import CONFIG_OF_LUNGS, FILES


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data folder of one's own, empty, and a package without models."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home" / "bundles"


def _install(home, name, *, version="1.0"):
    config = CONFIG_OF_LUNGS.model_copy(update={"name": name, "version": version})
    return write_bundle(home / name, config, FILES)


def test_bundles_live_in_the_folder_that_the_variable_names(home):
    assert bundles_folder() == home


@pytest.mark.parametrize("value", [None, ""])
def test_bundles_live_in_the_users_data_folder_otherwise(monkeypatch, tmp_path, value):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(HOME_VARIABLE, value)
    assert bundles_folder().parts[-2:] == ("cxrnet", "bundles")


def test_no_bundle_is_known_before_the_folder_exists(home):
    assert bundle_folders() == {}


def test_bundles_are_known_by_name_in_order(home):
    for name in ("two", "one"):
        _install(home, name)
    assert list(bundle_folders().items()) == [("one", home / "one"), ("two", home / "two")]


def test_what_is_no_bundle_is_passed_by(home):
    (home / "empty").mkdir(parents=True)
    (home / "file").write_text("")
    shutil.copytree(_install(home, "one").folder, home / ".one.part")
    assert list(bundle_folders()) == ["one"]


def test_bundle_opens_by_name(home):
    bundle = _install(home, "one")
    assert open_bundle("one") == bundle


def test_bundle_opens_by_path(home, tmp_path):
    bundle = _install(tmp_path, "elsewhere")
    assert open_bundle(bundle.folder) == open_bundle(str(bundle.folder)) == bundle


def test_path_wins_over_a_name(home, tmp_path):
    _install(home, "one", version="1.0")
    _install(tmp_path, "one", version="2.0")
    assert open_bundle("one").config.version == "2.0"


def test_name_wins_over_a_folder_that_is_no_bundle(home, tmp_path):
    _install(home, "one")
    (tmp_path / "one").mkdir()
    assert open_bundle("one").folder == home / "one"


def test_shipped_bundle_opens_by_name(home, tmp_path):
    bundle = _install(tmp_path / "models", "one")
    assert open_bundle("one") == bundle
    assert is_shipped(bundle.folder)
    assert hidden_folders() == {}


def test_own_bundle_hides_the_shipped_one_of_its_name(home, tmp_path):
    shipped = _install(tmp_path / "models", "one", version="1.0")
    _install(tmp_path / "models", "two", version="1.0")
    own = _install(home, "one", version="2.0")
    assert open_bundle("one") == own
    assert not is_shipped(own.folder)
    assert hidden_folders() == {"one": shipped.folder}
    assert open_bundle(shipped.folder) == shipped


def test_shipped_and_own_bundles_are_listed_together_in_order(home, tmp_path):
    for place, name in ((tmp_path / "models", "two"), (home, "three"), (home, "one")):
        _install(place, name)
    assert list(bundle_folders()) == ["one", "three", "two"]


def test_unknown_name_lists_those_known(home):
    for name in ("two", "one"):
        _install(home, name)
    with pytest.raises(BundleError, match=r"three: no bundle of this name in .*; known names: one, two; "):
        open_bundle("three")


def test_unknown_name_says_that_no_bundle_is_known_yet(home):
    with pytest.raises(BundleError, match="known names: no bundle yet; `cxrnet weights import` makes one"):
        open_bundle("one")


@pytest.mark.parametrize("name", ["", " ", None, 3])
def test_what_is_no_name_is_refused_in_words(name):
    with pytest.raises(BundleError, match="names no bundle; give the name of one, or the path of its folder"):
        open_bundle(name)


def test_folder_that_is_no_bundle_says_so(home, tmp_path):
    with pytest.raises(BundleError, match=r"is not a bundle, it has no checksums\.json"):
        open_bundle(tmp_path)


def test_damaged_bundle_says_so(home):
    (_install(home, "one").folder / "card.md").write_text("changed")
    with pytest.raises(BundleError, match=r"one: card\.md has changed"):
        open_bundle("one")


@pytest.mark.parametrize("name", ["model.pt", "model.PKL", "weights.h5", "last.ckpt"])
def test_pickle_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(BundleError, match=rf"^{name}: \.\w+ files can run code when loaded and are not accepted; "):
        open_bundle(tmp_path / name)


def test_path_that_is_too_long_is_refused(home):
    with pytest.raises(BundleError, match=r"cannot be read \(.*\); give a readable folder or a name"):
        open_bundle("x" * 5000)


def test_folder_without_access_is_refused(home, monkeypatch):
    def denied(_):
        raise PermissionError(13, "Permission denied", "b")

    monkeypatch.setattr("pathlib.Path.is_file", denied)
    with pytest.raises(BundleError, match=r"'b': cannot be read \(Permission denied\)"):
        open_bundle("b")

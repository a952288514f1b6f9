"""Reading a bundle: everything is checked, and every fault is named."""

import dataclasses
import hashlib
import json

import pytest

from cxrnet.errors import BundleError
from cxrnet.model.bundle import (
    CARD,
    CHECKSUMS,
    CONFIG,
    GRAPH,
    SEGMENTER,
    WEIGHTS,
    needed_files,
    read_bundle,
    write_bundle,
)
from cxrnet.model.config import ClassifierConfig, Standardisation
from tests.model.conftest import CONFIG_OF_LUNGS, FILES, list_again


def _change_config(folder, **changes):
    content = json.loads((folder / CONFIG).read_bytes()) | changes
    (folder / CONFIG).write_text(json.dumps(content))
    list_again(folder)


def test_bundle_reads_back_what_was_written(bundle):
    assert read_bundle(bundle.folder) == bundle
    assert bundle.config == CONFIG_OF_LUNGS
    assert (bundle.folder / WEIGHTS).read_bytes() == b"weights"


def test_card_is_text_of_any_language(bundle):
    assert bundle.card == "# Lungs, möglichst"


def test_label_is_name_version_and_digits_of_the_sha256(bundle):
    assert bundle.label == f"lungs 1.2 ({bundle.sha256[:8]})"


@pytest.mark.parametrize("name", [WEIGHTS, SEGMENTER])
def test_sha256_names_the_bundle_by_what_it_computes_with(bundle, tmp_path, name):
    same = write_bundle(tmp_path / "same", CONFIG_OF_LUNGS, FILES)
    other = write_bundle(tmp_path / "other", CONFIG_OF_LUNGS, FILES | {name: b"other"})
    assert same.sha256 == bundle.sha256 != other.sha256


def test_sha256_changes_with_the_config(bundle, tmp_path):
    other = write_bundle(tmp_path / "other", CONFIG_OF_LUNGS.model_copy(update={"version": "1.3"}), FILES)
    assert other.sha256 != bundle.sha256


def test_sha256_stays_when_the_card_changes(bundle, tmp_path):
    other = write_bundle(tmp_path / "other", CONFIG_OF_LUNGS, FILES | {CARD: b"# Other"})
    assert other.sha256 == bundle.sha256


def test_sha256_is_that_of_what_sha256sum_prints(bundle):
    names = sorted(path.name for path in bundle.folder.iterdir() if path.name not in (CARD, CHECKSUMS))
    lines = [f"{hashlib.sha256((bundle.folder / name).read_bytes()).hexdigest()}  {name}" for name in names]
    assert names == [CONFIG, SEGMENTER, WEIGHTS]
    assert bundle.sha256 == hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_bundle_cannot_be_changed(bundle):
    with pytest.raises(dataclasses.FrozenInstanceError):
        bundle.sha256 = "0"


def test_bundle_is_readable_by_others(bundle):
    assert bundle.folder.stat().st_mode & 0o777 == 0o755


def test_bundle_with_classifier_needs_its_graph():
    whole = CONFIG_OF_LUNGS.model_copy(
        update={
            "classifier": ClassifierConfig(),
            "folds": 1,
            "standardisation": Standardisation(mean=1.0, std=1.0),
        }
    )
    assert set(needed_files(whole)) - set(needed_files(CONFIG_OF_LUNGS)) == {GRAPH}


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_folder_without_checksums_is_no_bundle(tmp_path, name):
    with pytest.raises(BundleError, match=r"is not a bundle, it has no checksums\.json; give the folder"):
        read_bundle(tmp_path / name)


def test_file_is_no_bundle(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"file: checksums\.json cannot be read; import or build"):
        read_bundle(tmp_path / "file")


@pytest.mark.parametrize("content", ["", "{", "null", "[]", "{}", "\udcff", "[" * 100_000])
def test_checksums_that_are_damaged_are_refused(bundle, content):
    (bundle.folder / CHECKSUMS).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BundleError, match=r"lungs: checksums\.json cannot be read; import or build the bundle"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize(
    "listed", [[], "text", {}, {"card.md": "0"}, {CONFIG: "0", "../up": "0"}, {CONFIG: "0", "/etc/passwd": "0"}]
)
def test_checksums_of_another_form_are_refused(bundle, listed):
    (bundle.folder / CHECKSUMS).write_text(json.dumps({"sha256": listed}))
    with pytest.raises(BundleError, match=r"lungs: checksums\.json is not of this version's form"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize("name", ["..", "card\0.md", "\ud800"])
def test_checksums_of_names_that_no_file_has_are_refused(bundle, name):
    listed = json.loads((bundle.folder / CHECKSUMS).read_bytes())["sha256"] | {name: "0"}
    (bundle.folder / CHECKSUMS).write_text(json.dumps({"sha256": listed}))
    with pytest.raises(BundleError, match=r"lungs: checksums\.json is not of this version's form"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize("name", sorted({CONFIG, *FILES}))
def test_changed_file_is_named(bundle, name):
    with (bundle.folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleError, match=f"lungs: {name} has changed since the bundle was written; import or"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize("name", sorted({CONFIG, *FILES}))
def test_missing_file_is_named(bundle, name):
    (bundle.folder / name).unlink()
    with pytest.raises(BundleError, match=rf"lungs: {name} cannot be read \(No such file or directory\)"):
        read_bundle(bundle.folder)


def test_file_that_nobody_listed_or_brought_is_named(bundle):
    (bundle.folder / WEIGHTS).unlink()
    list_again(bundle.folder)
    with pytest.raises(BundleError, match=r"lungs: weights\.safetensors is missing; import or build the bundle"):
        read_bundle(bundle.folder)


def test_file_that_is_not_listed_is_refused(bundle):
    (bundle.folder / "extra.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"lungs: holds extra\.onnx, which checksums\.json does not list; remove"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize("name", ["weights.pt", "W.PKL", "model.joblib", "last.ckpt", "model.h5"])
def test_pickle_is_refused(bundle, name):
    (bundle.folder / name).write_bytes(b"")
    with pytest.raises(BundleError, match=f"lungs: holds {name}, a format that can run code when loaded; bundles"):
        read_bundle(bundle.folder)


def test_pickle_is_refused_when_it_is_listed(bundle):
    (bundle.folder / "weights.pt").write_bytes(b"")
    list_again(bundle.folder)
    with pytest.raises(BundleError, match=r"lungs: holds weights\.pt, a format that can run code when loaded"):
        read_bundle(bundle.folder)


def test_hidden_file_of_the_system_is_passed_by(bundle):
    (bundle.folder / ".DS_Store").write_bytes(b"")
    assert read_bundle(bundle.folder) == bundle


def test_config_that_is_no_json_is_refused(bundle):
    (bundle.folder / CONFIG).write_text("{")
    list_again(bundle.folder)
    with pytest.raises(BundleError, match=r"lungs: config in config\.json: Invalid JSON"):
        read_bundle(bundle.folder)


def test_bundle_of_a_later_format_is_refused_and_says_why(bundle):
    _change_config(bundle.folder, format=2, novelty="yes")
    with pytest.raises(
        BundleError,
        match=r"lungs: format in config\.json: Input should be 1; made by another version of cxrnet",
    ):
        read_bundle(bundle.folder)


def test_config_with_a_wrong_part_names_it(bundle):
    _change_config(bundle.folder, preparation={"height": 8, "width": 340})
    with pytest.raises(BundleError, match=r"lungs: preparation\.height in config\.json: Input should be greater"):
        read_bundle(bundle.folder)

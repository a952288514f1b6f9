import json

import pytest
import torch

from cxrnet.errors import WeightsError
from cxrnet.export import published
from cxrnet.export.keras import digest
from cxrnet.export.published import import_published, read_published, read_standardisation
from cxrnet.model.config import PUBLISHED_LUNG_MASK, PUBLISHED_PREPARATION, ClassifierConfig, SegmenterConfig
from cxrnet.nn.classifier import Fold
from cxrnet.nn.segmenter import Segmenter
from tests.export.keras_file import fold_layers, segmenter_layers, write_keras
from tests.material import randomised


@pytest.fixture(scope="module")
def made_up():
    """A random segmenter and six random folds of the published architecture."""
    folds = [randomised(Fold(ClassifierConfig()), seed=number) for number in range(6)]
    return randomised(Segmenter(SegmenterConfig())), folds


@pytest.fixture
def sources(tmp_path, monkeypatch, made_up):
    """Folder of files that look like those published, their digests known; names say nothing."""
    segmenter, folds = made_up
    segmenters = {"v7": segmenter_layers(segmenter)}
    layers = {number: fold_layers(fold) for number, fold in enumerate(folds)}
    known = segmenters | {f"fold {number}": arrays for number, arrays in layers.items()}
    monkeypatch.setattr(published, "PUBLISHED", {digest(arrays): name for name, arrays in known.items()})
    folder = tmp_path / "sources"
    folder.mkdir()
    write_keras(folder / "one.h5", segmenters["v7"])
    for number, arrays in layers.items():
        write_keras(folder / f"w{9 - number}.h5", arrays, is_whole_model=number % 2 == 0)
    (folder / "grey.json").write_text('{"mean": 124.5, "std": 75.5}')
    (folder / "README.txt").write_text("left alone")
    return folder


def test_weights_are_known_by_what_they_hold_not_by_name(sources, made_up):
    network = read_published([sources])["v7"]
    segmenter, folds = made_up
    for ours, theirs in zip(network.ensemble.folds, folds, strict=True):
        assert torch.equal(ours.norm.running_mean, theirs.norm.running_mean)
        assert torch.equal(ours.attention.columns.query, theirs.attention.columns.query)
    assert torch.equal(network.segmenter.head.weight, segmenter.head.weight)


def test_published_network_takes_what_its_weights_were_trained_with(sources):
    config = read_published([sources])["v7"].config
    assert (config.preparation, config.lung_mask) == (PUBLISHED_PREPARATION, PUBLISHED_LUNG_MASK)
    assert (config.standardisation.mean, config.standardisation.std) == (124.5, 75.5)
    assert config.lungs_include_heart


def test_one_bundle_is_made_for_each_segmenter(sources, tmp_path, monkeypatch):
    made = {}
    monkeypatch.setattr(published, "build_bundle", lambda network, folder, **options: made.update({folder: options}))
    import_published([sources], tmp_path / "out")
    ((folder, options),) = made.items()
    assert folder == tmp_path / "out" / "published-v7"
    assert options["card"].startswith("# published-v7\n")
    assert "59,941 parameters" in options["card"]


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        ("w9.h5", "lacks Module 2 fold 0; give"),
        ("grey.json", r"lacks the standardisation \(mean and std\); give"),
        ("one.h5", r"lacks Module 1 \(V7 or JMS\); give"),
    ],
)
def test_what_is_lacking_is_named(sources, tmp_path, removed, said):
    (sources / removed).unlink()
    with pytest.raises(WeightsError, match=said):
        import_published([sources], tmp_path / "out")


def test_all_that_is_lacking_is_named_at_once(sources, tmp_path):
    for name in ("w4.h5", "w5.h5", "grey.json"):
        (sources / name).unlink()
    with pytest.raises(WeightsError, match="lacks Module 2 fold 4, Module 2 fold 5, the standardisation"):
        import_published([sources], tmp_path / "out")


def test_source_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere: no such file or folder; give the \.h5 files"):
        import_published([tmp_path / "nowhere"], tmp_path / "out")


def test_weights_that_were_not_published_are_refused(tmp_path):
    path = write_keras(tmp_path / "own.h5", segmenter_layers(Segmenter(SegmenterConfig(blocks=1))))
    with pytest.raises(WeightsError, match=r"own\.h5: its 12 layers are not those of a published file"):
        read_published([path])


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"mean": 1}', '{"mean": "x", "std": 1}', '{"mean": 1, "std": 0}',
     '{"mean": NaN, "std": 1}', '{"mean": 1, "std": Infinity}', '{"mean": null, "std": 1}'],
)  # fmt: skip
def test_standardisation_without_mean_and_std_is_refused(tmp_path, content):
    path = tmp_path / "grey.json"
    path.write_text(content)
    with pytest.raises(WeightsError, match=r"grey\.json: holds no mean and std; give the standardisation file"):
        read_standardisation(path)


def test_standardisation_takes_whole_numbers(tmp_path):
    path = tmp_path / "grey.json"
    path.write_text(json.dumps({"mean": 124, "std": 76}))
    assert read_standardisation(path).mean == 124.0


def test_published_files_are_all_known(published):
    assert set(published) == {"v7", "jms"}


def test_jms_lungs_leave_the_heart_out(published):
    assert [published[name].config.lungs_include_heart for name in ("v7", "jms")] == [True, False]

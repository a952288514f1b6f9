from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cxrnet.errors import OutputError, TrainingError
from cxrnet.model.bundle import read_bundle
from cxrnet.model.config import AlignmentConfig, Standardisation
from cxrnet.model.runtime import Runtime
from cxrnet.nn.network import classifier_input
from cxrnet.training import features
from cxrnet.training.features import MARGIN, FeatureSource, black_out, open_features, open_lungs
from tests.training.conftest import TINY_FOLD, drawn

GREY = Standardisation(mean=127.5, std=74.0)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Function that opens the features of 3 images, and the list of how often they were made."""
    images, batches, times = drawn(3), FeatureSource.batches, []
    monkeypatch.setattr(FeatureSource, "batches", lambda self: (times.append(1), batches(self))[1])

    def made(**changes):
        config = TINY_FOLD.model_copy(update=changes)
        source = FeatureSource(images=images.images, lungs=images.masks, normalisation=GREY, config=config)
        return open_features(tmp_path, source)

    made.times = times
    return made


def test_features_hold_each_image_as_it_is_and_its_augmented_copies(made):
    opened, images = made(), drawn(3)
    assert (len(opened), opened.variants) == (3, 3)
    assert opened.at(0, 2).shape == (51, 16, 18)
    assert not np.array_equal(opened.at(0, 2), opened.at(1, 2))
    for channel, plane in ((-1, images.prepared[1]), (-2, images.masks[1])):
        pooled = plane.reshape(16, 4, 18, 4).mean((1, 3)) / 255
        np.testing.assert_allclose(opened.at(0, 1)[channel], pooled, atol=5e-4)


def test_mirror_image_is_kept_next_to_the_image_for_the_mirror_average(made):
    classifier = TINY_FOLD.classifier.model_copy(update={"mirror_average": True})
    opened, plain = made(classifier=classifier), made()
    assert (opened.originals, opened.variants) == (2, plain.variants)
    np.testing.assert_array_equal(opened.at(1, 0)[-2:], opened.at(0, 0)[-2:].flip(-1))
    np.testing.assert_array_equal(opened.values[2:], plain.values[1:])


def test_aligned_features_are_what_the_network_sees(made):
    classifier = TINY_FOLD.classifier.model_copy(update={"alignment": AlignmentConfig()})
    opened, images = made(classifier=classifier), drawn(3)
    image, lungs = (torch.from_numpy(each[1:2]).float() for each in (images.prepared, images.masks))
    given = classifier_input(image, lungs / 255, classifier, GREY)
    np.testing.assert_allclose(opened.at(0, 1)[-2], given.lungs[0], atol=5e-4)
    np.testing.assert_allclose(opened.at(0, 1)[-1], given.greys[0], atol=5e-4)
    assert not np.array_equal(opened.at(0, 1), made().at(0, 1))


def test_control_without_lungs_is_aligned_by_the_lungs(made):
    classifier = TINY_FOLD.classifier.model_copy(update={"alignment": AlignmentConfig()})
    seen, control = made(classifier=classifier), made(classifier=classifier, lungs="blacked-out")
    positions = seen.at(0, 1)[-2] > 0.9
    assert positions.any()
    assert control.at(0, 1)[-2][positions].max() < 0.1


def test_features_are_made_once_for_each_training_that_shares_the_folder(made, tmp_path):
    first = made().values.tobytes()
    assert made(seed=1).values.tobytes() != first
    assert made().values.tobytes() == first
    assert len(made.times) == len(list(tmp_path.glob("*/features.f16"))) == 2


@pytest.mark.parametrize("name", ["features.f16", "features.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_features_that_are_damaged_are_made_again(made, tmp_path, name, damage):
    first = made().values.tobytes()
    [path] = tmp_path.glob(f"*/{name}")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-2] if damage == "cut" else content[:20] + b"[]" + content[22:])
    assert made().values.tobytes() == first
    assert len(made.times) == 2


def test_features_that_were_interrupted_are_made_again(made, monkeypatch):
    def cut(self):
        yield b"0000"
        raise InterruptedError(4, "cut")

    with monkeypatch.context() as patch:
        patch.setattr(FeatureSource, "batches", cut)
        with pytest.raises(OutputError, match=r"features\.f16: cannot be written"):
            made()
    assert len(made()) == 3


def test_features_larger_than_the_free_disk_are_refused_before_they_are_made(made, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(
        TrainingError, match=r"4 variants of 3 images need [\d,]+ bytes, 1,000 are free; lower variants"
    ):
        made()
    assert made.times == []


def test_blacked_out_image_shows_nothing_of_the_lungs_and_the_rest_as_it_is():
    image, lungs = torch.full((1, 40, 50), 90.0), torch.zeros(1, 40, 50)
    lungs[0, 15:20, 20:30] = 0.9
    covered, rest = black_out(image, lungs)
    box = (slice(0, 1), slice(15 - MARGIN, 20 + MARGIN), slice(20 - MARGIN, 30 + MARGIN))
    assert (covered[box] == 0).all()
    assert (rest[box] == 0).all()
    assert covered.sum() == 90 * rest.sum() == 90 * (40 * 50 - (5 + 2 * MARGIN) * (10 + 2 * MARGIN))


def test_control_without_lungs_has_features_of_its_own(made):
    kept, covered = made().values, made(lungs="blacked-out").values
    assert not np.array_equal(kept, covered)
    assert (covered[:, :, -2] + kept[:, :, -2] <= 1.01).all()


@pytest.fixture
def segmenter(small_bundle):
    return read_bundle(small_bundle)


@pytest.fixture
def runs(monkeypatch):
    """List with an entry for each image that Module 1 was run on."""
    seen, run = [], Runtime.lung_probability
    monkeypatch.setattr(Runtime, "lung_probability", lambda self, image: (seen.append(1), run(self, image))[1])
    return seen


IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 72), np.uint8)


def test_lungs_are_those_of_the_segmenter_and_found_once(segmenter, tmp_path, runs):
    found = open_lungs(tmp_path, segmenter, IMAGES)
    np.testing.assert_array_equal(open_lungs(tmp_path, segmenter, IMAGES), found)
    assert len(runs) == len(IMAGES)
    wanted = np.stack([Runtime(segmenter).lung_probability(image) for image in IMAGES])
    np.testing.assert_allclose(found / 255, wanted, atol=0.5 / 255 + 1e-6)
    open_lungs(tmp_path, segmenter, IMAGES[::-1])
    assert len(runs) == 3 * len(IMAGES)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_lungs_are_found_again(segmenter, tmp_path, runs, damage):
    first = open_lungs(tmp_path, segmenter, IMAGES)
    [path] = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(path.read_bytes()[:-1] if damage == "cut" else content)
    np.testing.assert_array_equal(open_lungs(tmp_path, segmenter, IMAGES), first)
    assert len(runs) == 2 * len(IMAGES)


def test_other_processes_wait_for_the_first(made, segmenter, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(features.time, "sleep", lambda _: (_ for _ in ()).throw(TimeoutError))
    with pytest.raises(TimeoutError):
        open_lungs(tmp_path, segmenter, IMAGES)
    with pytest.raises(TimeoutError):
        made()
    assert not made.times

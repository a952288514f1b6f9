from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrnet.errors import OutputError
from cxrnet.model.config import Standardisation
from cxrnet.training import features
from cxrnet.training.features import MARGIN, black_out, open_features
from tests.training.conftest import TINY_FOLD, drawn

GREY = Standardisation(mean=127.5, std=74.0)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Function that opens the features of 3 films, and the list of how often they were made."""
    films, fill, times = drawn(3), features._fill, []
    monkeypatch.setattr(features, "_fill", lambda *how: (times.append(1), fill(*how)))

    def made(config=TINY_FOLD):
        return open_features(tmp_path, films.images, films.masks / np.float32(255), GREY, config)

    made.times = times
    return made


def test_features_hold_each_film_as_it_is_and_its_moved_copies(made):
    opened = made()
    assert (len(opened), opened.variants) == (3, 3)
    assert opened.at(0, 2).shape == (51, 16, 18)
    assert not np.array_equal(opened.at(0, 2), opened.at(1, 2))


def test_mirror_image_is_kept_beside_the_image_for_the_mirror_average(made):
    classifier = TINY_FOLD.classifier.model_copy(update={"mirror_average": True})
    opened, plain = made(TINY_FOLD.model_copy(update={"classifier": classifier})), made()
    assert (opened.originals, opened.variants) == (2, plain.variants)
    np.testing.assert_array_equal(opened.at(1, 0)[-2:], opened.at(0, 0)[-2:].flip(-1))
    np.testing.assert_array_equal(opened.values[2:], plain.values[1:])


def test_last_channels_are_the_pooled_mask_and_image(made):
    films = drawn(3)
    pooled = films.prepared[1].reshape(16, 4, 18, 4).mean((1, 3)) / 255
    np.testing.assert_allclose(made().at(0, 1)[-1], pooled, atol=5e-4)
    np.testing.assert_allclose(made().at(0, 1)[-2], films.masks[1].reshape(16, 4, 18, 4).mean((1, 3)) / 255, atol=5e-4)


def test_features_that_are_there_are_not_made_again(made):
    first = made().values.tobytes()
    assert made().values.tobytes() == first
    assert len(made.times) == 1


def test_features_of_another_seed_are_made_anew(made):
    first = made().values.tobytes()
    assert made(TINY_FOLD.model_copy(update={"seed": 1})).values.tobytes() != first


@pytest.mark.parametrize("harm", ["remove", "cut"])
def test_features_that_are_damaged_are_made_anew(made, tmp_path, harm):
    first = made().values.tobytes()
    [path] = tmp_path.glob("*/features.f16")
    content = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(content[:-2])
    assert made().values.tobytes() == first
    assert len(made.times) == 2


def test_features_that_were_interrupted_are_made_anew(made, monkeypatch):
    whole = features._fill

    def cut(*_):
        raise InterruptedError(4, "cut")

    monkeypatch.setattr(features, "_fill", cut)
    with pytest.raises(OutputError, match="features cannot be written"):
        made()
    monkeypatch.setattr(features, "_fill", whole)
    assert len(made()) == 3


def test_other_processes_wait_for_the_first(made, monkeypatch):
    monkeypatch.setattr(features, "is_first_process", lambda: False)
    monkeypatch.setattr(features.time, "sleep", lambda _: (_ for _ in ()).throw(TimeoutError))
    with pytest.raises(TimeoutError):
        made()
    assert not made.times


def test_blacked_out_film_shows_nothing_of_the_lungs_and_the_rest_as_it_is():
    image, lungs = torch.full((1, 40, 50), 90.0), torch.zeros(1, 40, 50)
    lungs[0, 15:20, 20:30] = 0.9
    covered, rest = black_out(image, lungs)
    box = (slice(0, 1), slice(15 - MARGIN, 20 + MARGIN), slice(20 - MARGIN, 30 + MARGIN))
    assert (covered[box] == 0).all()
    assert (rest[box] == 0).all()
    assert covered.sum() == 90 * rest.sum() == 90 * (40 * 50 - (5 + 2 * MARGIN) * (10 + 2 * MARGIN))


def test_control_without_lungs_has_features_of_its_own(made):
    kept = made().values.copy()
    covered = made(TINY_FOLD.model_copy(update={"lungs": "blacked-out"})).values
    assert made.times == [1, 1]
    assert not np.array_equal(kept, covered)
    assert (covered[:, :, -2] + kept[:, :, -2] <= 1.01).all()


def test_trainings_of_other_settings_share_a_folder(made, tmp_path):
    made()
    made(TINY_FOLD.model_copy(update={"seed": 1}))
    made()
    assert len(made.times) == len(list(tmp_path.glob("*/features.f16"))) == 2

from __future__ import annotations

import numpy as np
import pytest

from cxrnet.model.bundle import read_bundle
from cxrnet.model.runtime import Runtime
from cxrnet.training import lungs
from cxrnet.training.lungs import open_lungs


@pytest.fixture
def segmenter(small_bundle):
    return read_bundle(small_bundle)


@pytest.fixture
def films():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 72), np.uint8)


@pytest.fixture
def runs(monkeypatch):
    """List with an entry for each film that Module 1 was run on."""
    seen, run = [], Runtime.lung_probability
    monkeypatch.setattr(Runtime, "lung_probability", lambda self, image: (seen.append(1), run(self, image))[1])
    return seen


def test_lungs_are_those_of_the_segmenter(segmenter, films, tmp_path):
    wanted = np.stack([Runtime(segmenter).lung_probability(film) for film in films])
    np.testing.assert_allclose(open_lungs(tmp_path, segmenter, films), wanted, atol=0.5 / 255 + 1e-6)


def test_lungs_are_found_once(segmenter, films, tmp_path, runs):
    first = open_lungs(tmp_path, segmenter, films)
    np.testing.assert_array_equal(open_lungs(tmp_path, segmenter, films), first)
    assert len(runs) == len(films)


def test_lungs_of_other_films_are_found_again(segmenter, films, tmp_path, runs):
    open_lungs(tmp_path, segmenter, films)
    open_lungs(tmp_path, segmenter, films[::-1])
    assert len(runs) == 2 * len(films)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_lungs_are_found_again(segmenter, films, tmp_path, runs, damage):
    first = open_lungs(tmp_path, segmenter, films)
    [path] = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(path.read_bytes()[:-1] if damage == "cut" else content)
    np.testing.assert_array_equal(open_lungs(tmp_path, segmenter, films), first)
    assert len(runs) == 2 * len(films)


def test_other_processes_wait_for_the_first(segmenter, films, tmp_path, monkeypatch):
    monkeypatch.setattr(lungs, "is_first_process", lambda: False)
    monkeypatch.setattr(lungs.time, "sleep", lambda _: (_ for _ in ()).throw(TimeoutError))
    with pytest.raises(TimeoutError):
        open_lungs(tmp_path, segmenter, films)

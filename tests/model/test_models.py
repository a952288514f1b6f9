"""The models that come with the package: whole, small enough, and with cards written from their facts."""

import zlib

import pytest

from cxrnet.model import registry
from cxrnet.model.bundle import CARD, read_bundle, write_bundle, write_facts
from cxrnet.model.card import render_card
from tests.model.conftest import CONFIG_OF_LUNGS, FILES, list_again
from tests.model.material import facts

MOST_BYTES = 5_000_000
"""All models together as a wheel holds them, compressed."""

MODELS = sorted(path for path in registry.SHIPPED.iterdir() if path.is_dir() and not path.name.startswith("."))


def is_current(folder):
    bundle = read_bundle(folder)
    return bundle.facts is not None and bundle.card == render_card(bundle.config, bundle.facts, bundle.sha256)


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_model_has_a_card_that_follows_from_its_facts(folder):
    assert is_current(folder)


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_model_is_called_as_its_folder(folder):
    assert read_bundle(folder).config.name == folder.name


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_model_says_from_what_it_was_made_and_how_good_it_is(folder):
    known = read_bundle(folder).facts
    assert known.training is not None
    assert known.data is not None
    assert all(part.licences for part in known.data.sources)
    assert known.of_role("own")


def test_models_together_are_small():
    files = [path for path in registry.SHIPPED.rglob("*") if path.is_file()]
    assert sum(len(zlib.compress(path.read_bytes())) for path in files) < MOST_BYTES


def test_card_that_says_something_else_than_the_facts_is_noticed(tmp_path):
    files = {name: data for name, data in FILES.items() if name != CARD}
    folder = write_bundle(tmp_path / "lungs", CONFIG_OF_LUNGS, files, facts=facts()).folder
    assert is_current(folder)
    text = (folder / CARD).read_text()
    (folder / CARD).write_text(text.replace("0.953", "0.993"))
    list_again(folder)
    assert not is_current(folder)
    write_facts(read_bundle(folder), facts())
    assert is_current(folder)

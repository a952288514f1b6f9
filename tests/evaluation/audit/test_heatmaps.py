import numpy as np
import pytest

from cxrnet.evaluation.audit.heatmaps import (
    STEPS,
    Case,
    heat_maps,
    perturbation,
    randomisation,
    randomise,
    scattering_features,
)
from cxrnet.model.runtime import ModelOutput
from tests.material import draw_xray


@pytest.fixture
def case():
    image, lungs = draw_xray(0)
    return Case(image, lungs.astype(np.float32))


def test_layers_become_random_from_the_last_to_the_first_and_the_trained_network_stays(small_network, case):
    before, _ = heat_maps(small_network, case)
    assert [name for name, _ in randomise(small_network, seed=0)] == [
        "block 2",
        "block 1",
        "normalisation",
        "attention",
    ]
    np.testing.assert_array_equal(before, heat_maps(small_network, case)[0])


def test_random_weights_give_other_heat_maps(small_network, case):
    layers = randomisation(small_network, [case], seed=0)
    assert all(np.abs(values[0]) < 0.95 for values in layers.values())


def test_features_are_mean_and_spread_of_each_coefficient(small_network, case):
    assert scattering_features(small_network, case).shape == (98,)


def test_deletion_of_what_the_score_rests_on_lowers_it_fastest():
    image, lungs = draw_xray(0)
    spot = np.zeros_like(lungs)
    spot[20:30, 15:22] = True
    image = np.where(spot, 255, np.where(lungs, 60, 120)).astype(np.uint8)

    def run(changed):
        score = np.float32((changed[spot & lungs] > 200).mean())
        maps = np.stack([spot & lungs, np.zeros_like(spot)]).astype(np.float32)
        logits = np.array([1.0, 0.0], np.float32)
        scores = np.array([score, 1 - score])
        return ModelOutput(
            lungs.astype(np.float32), lungs.astype(np.float32), maps[None], scores[None], maps, logits, scores
        )

    curves = perturbation(run, image, threshold=0.5, seed=0)
    assert len(curves) == 6
    assert all(len(curve) == STEPS + 1 for curve in curves.values())
    assert curves["deletion by heat map"][1] < curves["deletion by random"][1]
    assert curves["insertion by heat map"][1] > curves["insertion by lung centre"][1]

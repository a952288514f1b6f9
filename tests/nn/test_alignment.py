import numpy as np
import pytest
import torch

from cxrnet.imaging.preprocess import equalise_ranks
from cxrnet.model.config import AlignmentConfig, ClassifierConfig
from cxrnet.nn.alignment import Frame, equalised, lung_frame, overlaps
from cxrnet.nn.network import Network
from tests.material import SMALL, draw_xray

SHARES = AlignmentConfig(height=0.5, width=0.8)


def _box(top, bottom, left, right, height=100, width=120):
    mask = torch.zeros(1, height, width)
    mask[:, top:bottom, left:right] = 1
    return mask


def test_box_around_the_lungs_gets_its_share_of_the_sides_in_the_middle():
    frame = lung_frame(_box(30, 60, 20, 70), SHARES)
    # 1 % of the lung pixels lie beyond each side
    torch.testing.assert_close(frame.extent, torch.tensor([[0.98 * 30 / 0.5, 0.98 * 50 / 0.8]]).double())
    torch.testing.assert_close(frame.start + frame.extent / 2, torch.tensor([[45.0, 45.0]]).double())


def test_specks_do_not_move_the_frame():
    mask = _box(30, 60, 20, 70)
    mask[:, 95:97, 100:102] = 1
    assert float((lung_frame(mask, SHARES).start - lung_frame(_box(30, 60, 20, 70), SHARES).start).abs().max()) < 1


@pytest.mark.parametrize("mask", [torch.zeros(1, 100, 120), _box(0, 3, 0, 3)], ids=["no lungs", "a speck"])
def test_frame_is_the_image_without_lungs(mask):
    frame, image = lung_frame(mask, SHARES), torch.rand(1, 100, 120)
    torch.testing.assert_close(frame.resampled(image, 100, 120), image)
    torch.testing.assert_close(frame.restored(image, 100, 120), image)


def test_frame_is_neither_tiny_nor_huge():
    assert lung_frame(_box(40, 60, 40, 80), AlignmentConfig(height=1, width=1)).extent.tolist() == [[45, 54]]
    extent = lung_frame(_box(0, 100, 0, 120), AlignmentConfig(height=0.3, width=0.3)).extent
    torch.testing.assert_close(extent, torch.tensor([[160.0, 192.0]]).double())


def test_image_in_a_wide_border_is_seen_as_without_it():
    image, mask = (torch.from_numpy(one)[None].float() for one in draw_xray(20))
    seen = [
        lung_frame(lungs, SHARES).resampled(plane, 64, 72)
        for plane, lungs in (
            (image, mask / mask.max()),
            (torch.nn.functional.pad(image, (9, 4, 2, 7)), torch.nn.functional.pad(mask / mask.max(), (9, 4, 2, 7))),
        )
    ]
    inside = (slice(None), slice(12, -12), slice(8, -8))
    assert np.corrcoef(seen[0][inside].flatten(), seen[1][inside].flatten())[0, 1] > 0.99


def test_areas_outside_the_image_take_its_nearest_edge():
    plane = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    frame = Frame(torch.tensor([[-2.0, 0.0]]).double(), torch.tensor([[6.0, 2.0]]).double())
    assert frame.resampled(plane, 6, 2).tolist() == [[[1, 2]] * 3 + [[3, 4]] * 3]


def test_restored_maps_lie_where_the_image_has_them_and_are_0_elsewhere():
    lungs = _box(25, 75, 30, 90)
    frame = lung_frame(lungs, AlignmentConfig(height=0.9, width=0.9))
    restored = frame.restored(frame.resampled(lungs, 50, 60)[:, None], 100, 120)[0, 0]
    expected = lungs.reshape(50, 2, 60, 2).mean((1, 3))
    assert float((restored - expected).abs().mean()) < 0.02
    assert restored[:5].abs().max() == 0


def test_overlaps_are_parts_of_areas():
    matrix = overlaps(torch.tensor([0.5]), torch.tensor([3.0]), 4, 2, is_replicated=False)
    torch.testing.assert_close(matrix, torch.tensor([[[1, 2, 0, 0], [0, 0, 2, 1]]]) / 3)


def test_greys_are_equalised_as_by_the_preparation():
    image = np.random.default_rng(0).integers(30, 220, (2, 40, 50)).astype(np.uint8)
    expected = np.stack([equalise_ranks(one) for one in image])
    np.testing.assert_allclose(equalised(torch.from_numpy(image).float()).numpy(), expected, atol=0.5)


def test_aligned_network_scores_a_shifted_image_alike(small_network):
    def spread(alignment):
        classifier = ClassifierConfig(**{**SMALL.classifier.model_dump(), "alignment": alignment})
        network = Network(SMALL.model_copy(update={"classifier": classifier})).eval()
        network.load_state_dict(small_network.state_dict())
        image, mask = (torch.from_numpy(one)[None].float() for one in draw_xray(20))
        mask = mask / mask.max()
        with torch.inference_mode():
            return [
                network.classify(image.roll(shift, (1, 2)), mask.roll(shift, (1, 2)))[1] for shift in ((0, 0), (3, -4))
            ]

    (plain, moved), (aligned, stays) = spread(None), spread({"height": 0.5, "width": 0.5})
    assert (stays.logits - aligned.logits).abs().max() < 0.5 * (moved.logits - plain.logits).abs().max()
    assert aligned.maps.shape == plain.maps.shape

import torch
from benchmarks.convolutional_stem import ImagePlanes, StemFold, planes_of
from torch.nn import functional

from cxrnet.model.config import ClassifierConfig, Standardisation
from cxrnet.nn.network import classifier_input
from cxrnet.training.features import open_features
from tests.training.conftest import TINY_FOLD, drawn

GREY = Standardisation(mean=100.0, std=60.0)


def test_planes_hold_every_pixel():
    image = torch.rand(2, 152, 172)
    planes = planes_of(image, 4)
    assert planes.shape == (2, 16, 38, 43)
    torch.testing.assert_close(functional.pixel_shuffle(planes, 4)[:, 0], image, rtol=0, atol=0)


def test_features_are_the_standardised_images(tmp_path):
    images = drawn(2)
    source = ImagePlanes(images=images.images, lungs=images.masks, normalisation=GREY, config=TINY_FOLD)
    features = open_features(tmp_path, source)
    planes = features.at(0, 1)[:-2]
    prepared = torch.from_numpy(images.prepared[1:2]).float()
    expected = planes_of(classifier_input(prepared, prepared / 255, TINY_FOLD.classifier, GREY).image, 4)[0]
    torch.testing.assert_close(planes, expected, rtol=1e-3, atol=1e-3)


def test_fold_behind_a_stem_gives_what_a_fold_gives():
    fold = StemFold(ClassifierConfig(logarithm=False)).eval()
    output = fold(torch.rand(2, 16, 38, 43), torch.rand(2, 38, 43))
    assert output.maps.shape == (2, 2, 38, 43)
    assert output.logits.shape == (2, 2)

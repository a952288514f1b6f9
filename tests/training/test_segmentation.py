import pytest
import torch

from cxrnet.data.augment import Augmentation
from cxrnet.data.manifest import read_manifest
from cxrnet.data.pack import build_pack
from cxrnet.errors import TrainingError
from cxrnet.model.config import PreparationConfig, SegmenterConfig
from cxrnet.nn.segmenter import Segmenter
from cxrnet.training.config import Optimiser, Phase, SegmenterTraining
from cxrnet.training.dataset import ImageSet
from cxrnet.training.module import optimiser_of
from cxrnet.training.segmentation import SegmenterModule, targets
from tests.material import CLASSES
from tests.training.conftest import TINY, drawn, segmenter_module, train_segmenter_in


def rates(folder, config=TINY, *, stop_after=None):
    """Train, and return the learning rate of every step."""
    module, seen = segmenter_module(config, xrays=7), []
    whole = module.training_step

    def training_step(*batch_and_index):
        seen.append(module.trainer.optimizers[0].param_groups[0]["lr"])
        return whole(*batch_and_index)

    module.training_step = training_step
    if stop_after is not None:
        module.on_train_epoch_end = lambda: stop(module, stop_after)
    train_segmenter_in(folder, config, module=module)
    return seen


def stop(module, epoch):
    if module.current_epoch == epoch:
        raise InterruptedError


def test_schedule_goes_through_all_phases_and_ends_at_nothing(tmp_path):
    seen = rates(tmp_path)
    assert len(seen) == 2 * 2 + 2 * 3  # 7 radiographs: 2 batches of 4, then 3 of 3
    assert max(seen) == pytest.approx(TINY.optimiser.learning_rate, rel=0.1)
    assert seen[-1] < 0.1 * max(seen)
    highest = seen.index(max(seen))
    assert seen[: highest + 1] == sorted(seen[: highest + 1])
    assert seen[highest:] == sorted(seen[highest:], reverse=True)


def test_schedule_continues_when_resumed(tmp_path):
    whole = rates(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        rates(tmp_path / "cut", stop_after=2)  # in the epoch after the second checkpoint
    assert rates(tmp_path / "cut") == whole[4:]


@pytest.mark.parametrize("steps", [1, 4, 40])
def test_schedule_never_runs_out(steps):
    network = Segmenter(TINY.segmenter)
    how = optimiser_of(Optimiser(), network, steps)
    optimiser, schedule = how["optimizer"], how["lr_scheduler"]["scheduler"]
    for _ in range(steps):
        assert 0 < optimiser.param_groups[0]["lr"] <= 1e-2
        optimiser.step()
        schedule.step()


def test_constant_schedule_is_the_optimiser_alone():
    how = optimiser_of(Optimiser(name="adam", schedule="constant", amsgrad=True), Segmenter(TINY.segmenter), 3)
    assert type(how) is torch.optim.Adam
    assert how.defaults["amsgrad"]


@pytest.mark.parametrize("background", [0, 1])
def test_targets_have_the_background_in_its_channel(background):
    lungs = (torch.rand(2, 1, 4, 5) > 0.5).float()
    both = targets(lungs, background=background)
    assert torch.equal(both[:, background : background + 1], 1 - lungs)
    assert torch.equal(both.sum(dim=1), torch.ones(2, 4, 5))


def test_targets_of_several_classes_leave_the_rest_to_the_background():
    planes = torch.tensor([[0.5, 0.25], [0.25, 0.0], [0.25, 0.0]])[None, :, None]
    rest = torch.tensor([0.0, 0.75])[None, None, None]
    assert torch.equal(targets(planes, background=0), torch.cat([rest, planes], dim=1))


def test_validation_dice_of_several_classes_leaves_out_the_images_that_lack_one():
    config = TINY.model_copy(update={"segmenter": SegmenterConfig(classes=CLASSES, filters=4, blocks=2)})
    planes = torch.zeros(2, 3, 4, 4)
    planes[:, 0, :2], planes[:, 1, 2] = 1, 1
    planes[0, 2, 3] = 1  # the second image has no heart
    module = SegmenterModule(config, drawn(1), drawn(1))
    module._loss, module.log, logged = (
        lambda *_: torch.zeros(()),
        lambda name, value, **_: logged.update({name: value}),
        {},
    )
    found = torch.zeros(2, 3, 4, 4)
    found[:, 0, :1], found[:, 1, 2], found[:, 2, 3] = 1, 1, 1
    module.network.forward = lambda _: targets(found, background=0)
    module.validation_step((torch.zeros(2, 1, 4, 4), planes), 0)
    module.on_validation_epoch_end()
    wanted = {"right_lung": (2 * 4 + 1) / (4 + 8 + 1), "left_lung": 1.0, "heart": 1.0}
    for name, dice in wanted.items():
        assert float(logged[f"val_dice_{name}"]) == pytest.approx(dice), name
    assert float(logged["val_dice"]) == pytest.approx(sum(wanted.values()) / 3)


@pytest.mark.parametrize("loss", ["tanimoto", "dice"])
def test_every_loss_trains(tmp_path, loss):
    result = train_segmenter_in(tmp_path, TINY.model_copy(update={"loss": loss, "phases": (Phase(epochs=1),)}))
    assert 0 <= result["val_dice"] <= 1


def test_validation_dice_is_that_of_the_images_whose_mask_is_not_empty(tmp_path):
    config = TINY.model_copy(update={"phases": (Phase(epochs=1),)})
    images = drawn(3, first=50)
    images.masks[0] = 0
    torch.manual_seed(config.seed)  # with other weights a pixel may lie so near to 0.5 that rounding decides
    module = SegmenterModule(config, drawn(8), images)
    result = train_segmenter_in(tmp_path, config, module=module)
    with torch.inference_mode():
        found = (module.network.eval().lung_probability(torch.from_numpy(images.images)[:, None] / 255) > 0.5).numpy()
    true = images.masks > 127
    both, either = (found & true).sum((1, 2)), found.sum((1, 2)) + true.sum((1, 2))
    assert result["val_dice"] == pytest.approx(((2 * both + 1) / (either + 1))[1:].mean(), abs=1e-5)


def test_first_loss_that_is_no_number_ends_the_training_and_names_its_images(tmp_path):
    module = SegmenterModule(TINY, drawn(8), drawn(2), names=[f"{number}.png" for number in range(8)])
    whole = module._loss
    module._loss = lambda *batch: whole(*batch) * (torch.nan if module.current_epoch == 1 else 1)
    with pytest.raises(TrainingError, match=r"nan in epoch 1.*\.png.*learning_rate \(0\.01\)"):
        train_segmenter_in(tmp_path, module=module)
    assert not (tmp_path / "result.json").exists()


@pytest.mark.slow
def test_sixteen_xrays_are_learnt_by_heart(tmp_path):
    config = SegmenterTraining(
        segmenter=SegmenterConfig(filters=4, blocks=2, dropout=0.0),
        preparation=TINY.preparation,
        augmentation=Augmentation(),
        phases=(Phase(epochs=250, batch=4),),
    )
    xrays = drawn(16)
    torch.manual_seed(0)
    result = train_segmenter_in(tmp_path, config, module=SegmenterModule(config, xrays, xrays))
    print(result)
    assert result["val_dice"] > 0.99


@pytest.mark.slow
def test_sixteen_real_xrays_are_learnt_by_heart_by_the_network_of_the_paper(shared, tmp_path):
    manifest = read_manifest(shared / "data/segmentation/manifest.csv", where={"mask_style": "heart_included"})
    config = SegmenterTraining(
        segmenter=SegmenterConfig(dropout=0.0),
        preparation=PreparationConfig(height=75, width=85),
        loss="tanimoto",
        augmentation=Augmentation(),
        phases=(Phase(epochs=200, batch=4),),
    )
    xrays = ImageSet.of(build_pack(manifest.samples[:320:20], config.preparation, with_masks=True), config.preparation)
    torch.manual_seed(0)
    result = train_segmenter_in(tmp_path, config, module=SegmenterModule(config, xrays, xrays))
    print(result)
    assert len(xrays.images) == 16
    assert result["val_dice"] > 0.99

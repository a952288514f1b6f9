"""Two processes train as one does. They are spawned by gloo on one machine, so all proofs here are slow."""

import csv
import subprocess
import sys

import pytest
import torch
from torch import nn

from cxrnet.model.config import SegmenterConfig
from cxrnet.training.config import Phase, SegmenterTraining
from cxrnet.training.losses import weighted_tanimoto_loss
from cxrnet.training.segmentation import SegmenterModule, targets
from tests.training.conftest import TINY, TINY_FOLD, drawn, train_segmenter_in

pytestmark = pytest.mark.slow

SPAWN = {"devices": 2, "strategy": "ddp_spawn"}
ONE_STEP = SegmenterTraining(
    segmenter=SegmenterConfig(filters=4, blocks=2, dropout=0.0),
    preparation=TINY.preparation,
    phases=(Phase(epochs=1, batch=8),),
)
"""One step an epoch for one process; two of them take half of the batch each."""


class FixedNorms(SegmenterModule):
    """Writes the gradients of its step; statistics of batch norm fixed, and a loss that is a mean over the images.

    The losses of the paper pool a batch into one coefficient, which the mean of two halves is not.
    """

    gradients = None

    def on_train_epoch_start(self):
        for norm in (part for part in self.modules() if isinstance(part, nn.BatchNorm2d)):
            norm.eval()

    def _loss(self, image, lungs):
        pairs = zip(self.network(image), targets(lungs, background=1 - self.network.lung_channel), strict=True)
        return torch.stack([weighted_tanimoto_loss(found[None], true[None]) for found, true in pairs]).mean()

    def on_before_optimizer_step(self, optimizer):
        del optimizer
        if self.trainer.is_global_zero:
            torch.save({name: one.grad.clone() for name, one in self.network.named_parameters()}, self.gradients)


def gradients(folder, batch, **options):
    config = ONE_STEP.model_copy(update={"phases": (Phase(epochs=1, batch=batch),)})
    torch.manual_seed(0)
    module = FixedNorms(config, drawn(8), drawn(2, first=50))
    folder.mkdir()
    module.gradients = folder / "gradients.pt"
    train_segmenter_in(folder, config, module=module, **options)
    return torch.load(module.gradients, weights_only=True)


def test_gradients_of_two_processes_are_those_of_one_with_the_joint_batch(tmp_path):
    alone, together = gradients(tmp_path / "one", 8), gradients(tmp_path / "two", 4, **SPAWN)
    assert alone.keys() == together.keys()
    scale = max(float(one.abs().max()) for one in alone.values())
    worst = max(float((alone[name] - together[name]).abs().max()) for name in alone)
    print(f"largest gradient {scale:.3g}, largest difference {worst:.3g}")
    assert scale > 1e-3
    assert worst < 1e-5


def test_spawned_training_writes_one_checkpoint_and_one_history(tmp_path):
    result = train_segmenter_in(tmp_path, **SPAWN)
    assert result["epochs"] == TINY.epochs
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    boards = [name for name in left if name.startswith("tensorboard/")]  # none where the package is not installed
    assert len(boards) <= 1
    kept = {"best.safetensors", "history.csv", "last.safetensors", "result.json"}
    kept |= {f"checkpoints/{name}.ckpt" for name in ("last", "previous")}
    assert set(left) - set(boards) == kept
    rows = read_rows(tmp_path / "history.csv")
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]


TRAIN = """
import sys
from pathlib import Path

import torch

from cxrnet.data.manifest import read_manifest
from cxrnet.training.segmenter_run import train_segmenter
from cxrnet.training.preflight import RunOptions
from tests.training.conftest import TINY

torch.set_num_threads(1)
folder = Path(sys.argv[1])
two = RunOptions(trainer={"devices": 2, "strategy": "ddp"})
train_segmenter(read_manifest(folder / "xrays.csv"), folder / "run", TINY, options=two)
"""


@pytest.fixture
def script(manifest):
    """A script of a user that trains on a manifest, in its folder."""
    path = manifest.parent / "train.py"
    path.write_text(TRAIN)
    return path


@pytest.mark.parametrize("launcher", [[], ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]])
def test_script_trains_in_two_processes_by_lightning_and_by_torchrun(script, launcher, monkeypatch, pytestconfig):
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    ended = subprocess.run(
        [sys.executable, *launcher, script, script.parent], check=False, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    run = script.parent / "run"
    assert len((run / "history.csv").read_text().splitlines()) == 1 + TINY.epochs
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"last.ckpt", "previous.ckpt"}
    assert (run / "result.json").is_file()


CLASSIFY = """
import sys
from pathlib import Path

import torch

from cxrnet.model.registry import open_bundle
from cxrnet.data.manifest import read_manifest
from cxrnet.training.classifier_run import train_classifier
from cxrnet.training.preflight import RunOptions
from tests.training.conftest import TINY_FOLD

torch.set_num_threads(1)
folder = Path(sys.argv[1])
two = RunOptions(trainer={"devices": 2, "strategy": "ddp"})
xrays = read_manifest(folder / "xrays.csv")
train_classifier(xrays, folder / "run", TINY_FOLD, open_bundle(sys.argv[2]), options=two)
"""


def test_folds_of_a_classifier_train_in_two_processes_by_torchrun(manifest, small_bundle, monkeypatch, pytestconfig):
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    script = manifest.parent / "classify.py"
    script.write_text(CLASSIFY)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [sys.executable, *launcher, script, script.parent, small_bundle],
        check=False, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    run = script.parent / "run"
    for fold in ("fold0", "fold1"):
        assert len((run / fold / "history.csv").read_text().splitlines()) == 1 + TINY_FOLD.epochs
        assert {path.name for path in (run / fold / "checkpoints").iterdir()} == {"last.ckpt", "previous.ckpt"}
    tested = [row["group_id"] for fold in (0, 1) for row in read_rows(run / f"fold{fold}" / "out_of_fold.csv")]
    assert sorted(tested) == sorted(row["patient_id"] for row in read_rows(run / "folds.csv"))


def read_rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))

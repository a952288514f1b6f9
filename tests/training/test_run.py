from __future__ import annotations

import csv
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import cv2
import numpy as np
import pytest
import torch

from cxrnet.errors import OutputError, TrainingError, UsageError
from cxrnet.training.config import Phase
from cxrnet.training.lightning_patches import use_machine
from cxrnet.training.lock import lock_run
from cxrnet.training.run import fit, open_run, read_record
from tests.material import film
from tests.training.conftest import (
    TINY,
    TINY_FOLD,
    fold_module,
    segmenter_module,
    train_fold_in,
    train_segmenter_in,
)

LEFT = ("last.safetensors", "best.safetensors", "history.csv", "result.json")
RECORD = {"kind": "segmenter", "films": 3, "settings": {"seed": 0}}


class PulledPlug(BaseException):
    """What a test raises in the middle of a training."""


def files(folder):
    return {name: (folder / name).read_bytes() for name in LEFT}


def cut_at(module, step):
    """Let the training step of this number, counted from 0 over all epochs, fail."""
    whole, steps = module.training_step, iter(range(10**6))

    def training_step(*batch_and_index):
        if next(steps) == step:
            raise PulledPlug
        return whole(*batch_and_index)

    module.training_step = training_step
    return module


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Folders of a segmenter's training and of a fold's that nothing stopped."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("unbroken")
    train_segmenter_in(folder / "segmenter")
    train_fold_in(folder / "fold")
    torch.set_num_threads(threads)
    return folder


def test_training_that_is_cut_in_an_epoch_ends_in_the_same_bytes_when_resumed(unbroken, tmp_path):
    for step in (1, 1, 0, 2):  # films make 2 and 3 steps an epoch: before the first checkpoint, twice, then in each
        with pytest.raises(PulledPlug):
            train_segmenter_in(tmp_path, module=cut_at(segmenter_module(), step))
        assert not (tmp_path / "result.json").exists()
    train_segmenter_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "segmenter")


def test_training_of_a_fold_that_is_cut_ends_in_the_same_bytes_when_resumed(unbroken, tmp_path):
    for step in (4, 2, 3):
        with pytest.raises(PulledPlug):
            train_fold_in(tmp_path, module=cut_at(fold_module(), step))
    train_fold_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "fold")


def test_training_that_is_stopped_after_every_epoch_ends_in_the_same_bytes(unbroken, tmp_path):
    for _ in range(TINY.epochs):
        with pytest.raises(PulledPlug):
            train_segmenter_in(tmp_path, module=after_epoch(segmenter_module()))
    train_segmenter_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "segmenter")


def after_epoch(module):
    """Let the training fail once the checkpoint of an epoch is written, before anything else; also of the last."""
    epochs = iter(range(9))

    def train_dataloader():
        if next(epochs) and trained:
            raise PulledPlug
        return loader()

    def training_step(*batch_and_index):
        trained.append(True)
        return step(*batch_and_index)

    def on_train_end():
        raise PulledPlug

    trained, loader, step = [], module.train_dataloader, module.training_step
    module.train_dataloader, module.training_step, module.on_train_end = train_dataloader, training_step, on_train_end
    return module


def test_training_that_was_killed_before_its_result_writes_it_when_resumed(unbroken, tmp_path):
    train_segmenter_in(tmp_path)
    for name in ("result.json", "last.safetensors"):
        (tmp_path / name).unlink()
    train_segmenter_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "segmenter")


def test_training_that_is_done_is_left_alone(tmp_path):
    first = train_segmenter_in(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert train_segmenter_in(tmp_path, module=cut_at(segmenter_module(), 0)) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_training_with_workers_ends_in_the_same_bytes(unbroken, tmp_path):
    train_segmenter_in(tmp_path, workers=2)
    assert files(tmp_path) == files(unbroken / "segmenter")


def test_training_with_another_seed_ends_elsewhere(unbroken, tmp_path):
    train_segmenter_in(tmp_path, TINY.model_copy(update={"seed": 1}))
    assert (tmp_path / "last.safetensors").read_bytes() != (unbroken / "segmenter" / "last.safetensors").read_bytes()


def test_history_has_a_row_for_every_epoch(unbroken):
    rows = (unbroken / "segmenter" / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,train_loss,val_dice,val_loss"
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "1", "2", "3"]


def points(folder):
    """What TensorBoard shows of a run: name -> (epoch, value), and the event files that it reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(folder / "tensorboard"), purge_orphaned_data=False).Reload()
    return {name: [(event.step, event.value) for event in shown.Scalars(name)] for name in shown.Tags()["scalars"]}


def history(folder):
    """The same from `history.csv`, in single precision as TensorBoard keeps it."""
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "epoch"]
    return {name: [(int(row["epoch"]), np.float32(row[name])) for row in rows] for name in names}


@pytest.mark.parametrize("kind", ["segmenter", "fold"])
def test_tensorboard_shows_the_history(unbroken, kind):
    assert points(unbroken / kind) == history(unbroken / kind)


def test_tensorboard_shows_no_point_twice_after_a_resume(tmp_path):
    for cut in (after_epoch, lambda module: cut_at(module, 1), lambda module: cut_at(module, 3)):
        with pytest.raises(PulledPlug):
            train_segmenter_in(tmp_path, module=cut(segmenter_module()))
    train_segmenter_in(tmp_path)
    assert points(tmp_path) == history(tmp_path)
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_tensorboard_forgets_an_epoch_that_the_checkpoint_does_not_know(tmp_path, monkeypatch):
    def killed(self, checkpoint, path, storage_options=None):
        raise PulledPlug

    with monkeypatch.context() as patch:
        patch.setattr("cxrnet.training.checkpoint.WholeCheckpoints.save_checkpoint", killed)
        with pytest.raises(PulledPlug):
            train_segmenter_in(tmp_path)
    assert [step for step, _ in points(tmp_path)["val_dice"]] == [0]
    train_segmenter_in(tmp_path)
    assert points(tmp_path) == history(tmp_path)


def test_training_without_tensorboard_writes_no_events(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert train_segmenter_in(tmp_path)["epochs"] == TINY.epochs
    assert not (tmp_path / "tensorboard").exists()


def test_events_that_the_disk_cannot_take_are_told_in_one_line(tmp_path):
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="tensorboard: cannot be written"):
        train_segmenter_in(tmp_path)


def test_run_keeps_the_last_two_checkpoints(unbroken):
    left = {path.name for path in (unbroken / "segmenter" / "checkpoints").iterdir()}
    assert left == {"last.ckpt", "previous.ckpt"}


def damaged(path, how):
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, min(len(data), len(data) // 2 + 512)):  # a single bit may lie in padding
        data[place] ^= 1
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "flipped": data}[how])


DAMAGE = pytest.mark.parametrize("how", ["cut", "empty", "flipped"])


@DAMAGE
def test_training_with_a_damaged_checkpoint_resumes_from_the_one_before(unbroken, tmp_path, how):
    with pytest.raises(PulledPlug):
        train_segmenter_in(tmp_path, module=cut_at(segmenter_module(), 6))
    damaged(tmp_path / "checkpoints" / "last.ckpt", how)
    train_segmenter_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "segmenter")


@DAMAGE
def test_training_without_a_sound_checkpoint_is_refused_in_one_line(tmp_path, how):
    with pytest.raises(PulledPlug):
        train_segmenter_in(tmp_path, module=cut_at(segmenter_module(), 2))
    damaged(tmp_path / "checkpoints" / "last.ckpt", how)
    with pytest.raises(TrainingError, match=r"last\.ckpt: is damaged"):
        train_segmenter_in(tmp_path)


def test_checkpoint_of_another_network_is_refused(unbroken, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(unbroken / "fold" / "checkpoints" / "last.ckpt", tmp_path / "checkpoints")
    with pytest.raises(TrainingError, match="another network"):
        train_segmenter_in(tmp_path)


@pytest.mark.parametrize("name", ["last.safetensors", "result.json"])
@DAMAGE
def test_damaged_outcome_is_written_again_from_the_checkpoint(unbroken, tmp_path, name, how):
    shutil.copytree(unbroken / "segmenter", tmp_path / "run")
    if name == "result.json" and how == "flipped":
        pytest.skip("one changed character may leave sound JSON")
    damaged(tmp_path / "run" / name, how)
    train_segmenter_in(tmp_path / "run")
    assert files(tmp_path / "run") == files(unbroken / "segmenter")


def test_second_training_in_the_same_folder_is_refused(tmp_path):
    with (
        lock_run(tmp_path),
        pytest.raises(UsageError, match="another process trains in this folder"),
        lock_run(tmp_path),
    ):
        pass
    with lock_run(tmp_path):
        pass


PATIENT = TINY.model_copy(update={"patience": 2, "phases": (Phase(epochs=4, batch=4, scale=0.5),)})


def patient_module(values):
    """A segmenter whose validation Dice is what `values` say, epoch by epoch."""
    module = segmenter_module()
    module.on_validation_epoch_end = lambda: module.log("val_dice", values[module.current_epoch])
    return module


def test_training_stops_when_the_best_is_too_long_ago(tmp_path):
    config = PATIENT
    result = train_segmenter_in(tmp_path, config, module=patient_module([0.5, 0.4, 0.4, 0.9]))
    assert (result["epochs"], result["best_epoch"]) == (3, 0)


def test_training_that_stopped_early_ends_at_once_when_resumed_without_its_result(tmp_path):
    config = PATIENT
    train_segmenter_in(tmp_path, config, module=patient_module([0.5, 0.4, 0.4, 0.9]))
    before = files(tmp_path)
    (tmp_path / "result.json").unlink()
    result = train_segmenter_in(tmp_path, config, module=cut_at(patient_module([0.5, 0.4, 0.4, 0.9]), 0))
    assert result["epochs"] == 3
    assert files(tmp_path) == before


def test_only_epochs_of_the_last_phase_can_be_the_best(tmp_path):
    assert train_segmenter_in(tmp_path, module=patient_module([0.9, 0.8, 0.5, 0.6]))["best_epoch"] == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_value_that_is_not_finite_ends_the_training(tmp_path, value):
    with pytest.raises(TrainingError, match=f"val_dice is {value} in epoch 1; lower optimiser.learning_rate"):
        train_segmenter_in(tmp_path, PATIENT, module=patient_module([0.4, value, 0.3, 0.2]))
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2


def test_ctrl_c_is_a_keyboard_interrupt_and_the_next_one_is_heard(tmp_path):
    module = segmenter_module()

    def training_step(*_):
        raise KeyboardInterrupt

    module.training_step = training_step
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_segmenter_in(tmp_path, module=module)
    assert signal.getsignal(signal.SIGINT) is handler


def test_curves_are_drawn_from_the_history_so_far(tmp_path):
    seen = []

    def draw(rows):
        seen.append(len(rows))
        return b"picture"

    config = TINY_FOLD
    fit(
        fold_module(),
        tmp_path,
        epochs=config.epochs,
        monitor="val_loss",
        is_better_higher=False,
        patience=None,
        draw=draw,
    )
    assert seen == [1, 2, 3, 4]
    assert (tmp_path / "curves.png").read_bytes() == b"picture"


def test_begun_run_is_refused_without_resume(tmp_path):
    open_run(tmp_path, RECORD, resume=False)
    with pytest.raises(UsageError, match="holds a training; resume it with --resume"):
        open_run(tmp_path, RECORD, resume=False)


def test_begun_run_is_resumed_with_the_same_record_only(tmp_path):
    open_run(tmp_path, RECORD, resume=True)
    open_run(tmp_path, RECORD, resume=True)
    with pytest.raises(UsageError, match="was started with other films, settings; resume with the same"):
        open_run(tmp_path, RECORD | {"films": 4, "settings": {"seed": 1}}, resume=True)


@pytest.mark.parametrize("content", [None, "no json", "[1, 2]", "{}", "3"])
def test_folder_that_holds_no_training_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "training.json").write_text(content)
    with pytest.raises(UsageError, match="give the folder that `cxrnet train --out` made"):
        read_record(tmp_path)


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK"])
def test_only_the_first_of_parallel_processes_opens_a_run(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    open_run(tmp_path, RECORD, resume=False)
    assert not list(tmp_path.iterdir())


def test_threads_are_set_when_asked_for(monkeypatch):
    monkeypatch.setattr("cxrnet.training.lightning_patches.keep_freed_memory", lambda: True)
    use_machine(2)
    use_machine(None)
    assert torch.get_num_threads() == 2


SETTINGS = """
segmenter: {filters: 4, blocks: 2, dropout: 0.2}
preparation: {height: 64, width: 72}
phases: [{epochs: 8, batch: 4, scale: 0.5}, {epochs: 42, batch: 3}]
"""


def epochs_done(folder):
    history = folder / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


@pytest.mark.slow
def test_training_that_is_killed_ten_times_ends_in_the_same_bytes(tmp_path):
    """kill -9 at random moments: while it imports, reads, trains, writes."""
    rows = ["image,mask,patient_id"]
    for seed in range(24):
        image, lungs = film(seed)
        cv2.imwrite(str(tmp_path / f"{seed}.png"), image)
        cv2.imwrite(str(tmp_path / f"{seed}m.png"), lungs.astype(np.uint8) * 255)
        rows.append(f"{seed}.png,{seed}m.png,p{seed}")
    (tmp_path / "films.csv").write_text("\n".join(rows))
    (tmp_path / "settings.yaml").write_text(textwrap.dedent(SETTINGS))
    command = [sys.executable, "-m", "cxrnet", "train", "segmenter", "-m", str(tmp_path / "films.csv"), "--resume"]
    command += ["--config", str(tmp_path / "settings.yaml"), "--threads", "1", "--out"]
    subprocess.run([*command, str(tmp_path / "unbroken")], check=True, capture_output=True)
    rng, moments = random.Random(0), []
    for _ in range(10):
        goal = epochs_done(tmp_path / "killed") + rng.randrange(0, 4)
        process = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
        while epochs_done(tmp_path / "killed") < goal and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        moments.append(epochs_done(tmp_path / "killed"))
    print("epochs done at each kill:", moments)
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    assert files(tmp_path / "killed") == files(tmp_path / "unbroken")

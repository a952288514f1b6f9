"""Trainings that are cut, killed, damaged and resumed end in the same bytes."""

import csv
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import torch

from cxrnet.errors import OutputError, TrainingError
from cxrnet.training.config import Phase
from cxrnet.training.fit import use_machine
from tests.data.conftest import write_mask, write_rows, write_xray
from tests.training.conftest import TINY, fold_module, segmenter_module, train_fold_in, train_segmenter_in

LEFT = ("last.safetensors", "best.safetensors", "history.csv", "result.json")


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


def after_epoch(module):
    """Let the training fail once the checkpoint of an epoch is written, before anything else; also of the last."""
    trained, loader, step = [], module.train_dataloader, module.training_step

    def train_dataloader():
        if trained:
            raise PulledPlug
        return loader()

    def training_step(*batch_and_index):
        trained.append(True)
        return step(*batch_and_index)

    def on_train_end():
        raise PulledPlug

    module.train_dataloader, module.training_step, module.on_train_end = train_dataloader, training_step, on_train_end
    return module


def cut(folder, module, train=train_segmenter_in):
    with pytest.raises(PulledPlug):
        train(folder, module=module)


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
    for step in (1, 0, 2):  # images make 2 and 3 steps an epoch: before the first checkpoint, then in later epochs
        cut(tmp_path, cut_at(segmenter_module(), step))
        assert not (tmp_path / "result.json").exists()
    train_segmenter_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "segmenter")


def test_training_of_a_fold_that_is_cut_ends_in_the_same_bytes_when_resumed(unbroken, tmp_path):
    for step in (4, 2):
        cut(tmp_path, cut_at(fold_module(), step), train_fold_in)
    train_fold_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "fold")


def test_training_that_is_stopped_after_every_epoch_ends_in_the_same_bytes(unbroken, tmp_path):
    for _ in range(TINY.epochs):
        cut(tmp_path, after_epoch(segmenter_module()))
    train_segmenter_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "segmenter")


def test_training_that_is_done_is_left_alone(unbroken):
    folder = unbroken / "segmenter"
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert train_segmenter_in(folder, module=cut_at(segmenter_module(), 0))["epochs"] == TINY.epochs
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times


@pytest.mark.slow
def test_training_with_workers_ends_in_the_same_bytes(unbroken, tmp_path):
    train_segmenter_in(tmp_path, workers=2)
    assert files(tmp_path) == files(unbroken / "segmenter")


def test_history_has_a_row_for_every_epoch(unbroken):
    rows = (unbroken / "segmenter" / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,train_loss,val_dice,val_loss"
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "1", "2", "3"]


def points(folder):
    """What TensorBoard shows of a run: name -> (epoch, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(folder / "tensorboard")).Reload()
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


def test_tensorboard_shows_no_epoch_twice_after_a_kill_before_its_checkpoint(tmp_path, monkeypatch):
    def killed(self, checkpoint, path, storage_options=None):
        raise PulledPlug

    cut(tmp_path, after_epoch(segmenter_module()))
    with monkeypatch.context() as patch:
        patch.setattr("cxrnet.training.checkpoint.AtomicCheckpoints.save_checkpoint", killed)
        cut(tmp_path, segmenter_module())
    assert [step for step, _ in points(tmp_path)["val_dice"]] == [0, 1]
    train_segmenter_in(tmp_path)
    assert points(tmp_path) == history(tmp_path)


def test_training_without_tensorboard_writes_no_events(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert train_fold_in(tmp_path)["epochs"] == TINY.epochs
    assert not (tmp_path / "tensorboard").exists()


def test_events_that_the_disk_cannot_take_are_an_output_error(tmp_path):
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="tensorboard: cannot be written"):
        train_fold_in(tmp_path)


def damaged(path, way):
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, min(len(data), len(data) // 2 + 512)):  # a single bit may lie in padding
        data[place] ^= 1
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "flipped": data}[way])


@pytest.mark.parametrize("way", ["cut", "flipped"])
def test_training_with_a_damaged_checkpoint_resumes_from_the_one_before(unbroken, tmp_path, way):
    cut(tmp_path, cut_at(fold_module(), 7), train_fold_in)
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"last.ckpt", "previous.ckpt"}
    damaged(tmp_path / "checkpoints" / "last.ckpt", way)
    train_fold_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "fold")


def changed(change):
    """Function that changes what a checkpoint holds."""

    def damage(path):
        content = torch.load(path, weights_only=False)
        change(content)
        torch.save(content, path)

    return damage


def not_finite(content):
    content["state_dict"]["_weights"][:] = torch.nan


UNSOUND = {
    "not finite": not_finite,
    "no optimiser": lambda content: content.pop("optimizer_states"),
    "no loops": lambda content: content.update(loops={}),
    "no history": lambda content: content.update(callbacks={}),
    "another training": lambda content: content.update(run="0" * 64),
}


@pytest.mark.parametrize("way", UNSOUND)
def test_checkpoint_that_lacks_something_or_is_of_another_training_gives_way_to_the_one_before(unbroken, tmp_path, way):
    cut(tmp_path, cut_at(fold_module(), 7), train_fold_in)
    changed(UNSOUND[way])(tmp_path / "checkpoints" / "last.ckpt")
    train_fold_in(tmp_path)
    assert files(tmp_path) == files(unbroken / "fold")


def test_history_that_was_lost_is_written_again(unbroken, tmp_path):
    run = shutil.copytree(unbroken / "fold", tmp_path / "run")
    (run / "history.csv").write_text("epoch\n")
    (run / "result.json").unlink()
    train_fold_in(run)
    assert files(run) == files(unbroken / "fold")


@pytest.mark.parametrize("way", ["cut", "empty", "flipped", "another network"])
def test_training_without_a_sound_checkpoint_is_refused(unbroken, tmp_path, way):
    (tmp_path / "checkpoints").mkdir()
    kind = "segmenter" if way == "another network" else "fold"
    shutil.copy(unbroken / kind / "checkpoints" / "last.ckpt", tmp_path / "checkpoints")
    if kind == "fold":
        damaged(tmp_path / "checkpoints" / "last.ckpt", way)
    with pytest.raises(TrainingError, match=r"last\.ckpt: is damaged, or of another network"):
        train_fold_in(tmp_path)


@pytest.mark.parametrize("names", [["last.safetensors"], ["result.json"], ["last.safetensors", "result.json"]])
@pytest.mark.parametrize("way", ["cut", "removed"])
def test_damaged_result_is_written_again_from_the_checkpoint(unbroken, tmp_path, names, way):
    run = shutil.copytree(unbroken / "fold", tmp_path / "run")
    for name in names:
        (run / name).unlink() if way == "removed" else damaged(run / name, way)
    train_fold_in(run)
    assert files(run) == files(unbroken / "fold")


PATIENT = TINY.model_copy(update={"patience": 2, "phases": (Phase(epochs=4, batch=4, scale=0.5),)})


def patient_module(values):
    """A segmenter whose validation Dice is what `values` say, epoch by epoch."""
    module = segmenter_module()
    module.on_validation_epoch_end = lambda: module.log("val_dice", values[module.current_epoch])
    return module


def test_training_stops_when_the_best_is_too_long_ago_and_at_once_when_resumed(tmp_path):
    values = [0.5, 0.4, 0.4, 0.9]
    result = train_segmenter_in(tmp_path, PATIENT, module=patient_module(values))
    assert (result["epochs"], result["best_epoch"]) == (3, 0)
    before = files(tmp_path)
    (tmp_path / "result.json").unlink()
    assert train_segmenter_in(tmp_path, PATIENT, module=cut_at(patient_module(values), 0))["epochs"] == 3
    assert files(tmp_path) == before


def test_only_epochs_of_the_last_phase_can_be_the_best(tmp_path):
    assert train_segmenter_in(tmp_path, module=patient_module([0.9, 0.8, 0.5, 0.6]))["best_epoch"] == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_value_that_is_not_finite_ends_the_training(tmp_path, value):
    with pytest.raises(TrainingError, match=f"val_dice is {value} in epoch 1"):
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
    train_fold_in(tmp_path, draw=lambda rows: seen.append(len(rows)) or b"picture")
    assert seen == [1, 2, 3, 4]
    assert (tmp_path / "curves.png").read_bytes() == b"picture"


def test_threads_are_set_when_asked_for(monkeypatch):
    monkeypatch.setattr("cxrnet.training.fit.keep_freed_memory", lambda: True)
    use_machine(2)
    use_machine(None)
    assert torch.get_num_threads() == 2


SETTINGS = """
segmenter: {filters: 4, blocks: 2, dropout: 0.2}
preparation: {height: 64, width: 72}
phases: [{epochs: 8, batch: 4, scale: 0.5}, {epochs: 42, batch: 3}]
"""


def epochs_done(folder):
    path = folder / "history.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


@pytest.mark.slow
def test_training_that_is_killed_ten_times_ends_in_the_same_bytes(tmp_path):
    """kill -9 at random moments: while it imports, reads, trains, writes."""
    rows = []
    for seed in range(24):
        write_mask(tmp_path / f"{seed}m.png", write_xray(tmp_path / f"{seed}.png", seed, height=64, width=72))
        rows.append({"image": f"{seed}.png", "mask": f"{seed}m.png", "patient_id": f"p{seed}"})
    write_rows(tmp_path / "xrays.csv", rows)
    (tmp_path / "settings.yaml").write_text(textwrap.dedent(SETTINGS))
    command = [sys.executable, "-m", "cxrnet", "train", "segmenter", "-m", str(tmp_path / "xrays.csv"), "--resume"]
    command += ["--config", str(tmp_path / "settings.yaml"), "--threads", "1", "--out"]
    subprocess.run([*command, str(tmp_path / "unbroken")], check=True, capture_output=True)
    rng = random.Random(0)
    for _ in range(10):
        goal = epochs_done(tmp_path / "killed") + rng.randrange(0, 4)
        process = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
        while epochs_done(tmp_path / "killed") < goal and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    assert files(tmp_path / "killed") == files(tmp_path / "unbroken")

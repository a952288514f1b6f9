import pytest
import torch
from safetensors.torch import save

from cxrnet.errors import UsageError
from cxrnet.training.run import load_weights, lock_run, open_run, read_record, write_result

RECORD = {"kind": "segmenter", "films": 3, "settings": {"seed": 0}}


def test_started_run_is_refused_without_resume(tmp_path):
    open_run(tmp_path, RECORD, resume=False)
    with pytest.raises(UsageError, match="--resume"):
        open_run(tmp_path, RECORD, resume=False)


def test_started_run_is_resumed_with_the_same_record_only(tmp_path):
    open_run(tmp_path, RECORD, resume=True)
    open_run(tmp_path, RECORD, resume=True)
    with pytest.raises(UsageError, match="other rows of the manifest, settings;"):
        open_run(tmp_path, RECORD | {"films": 4, "settings": {"seed": 1}}, resume=True)


def test_run_of_an_earlier_version_is_resumed_without_the_fields_it_did_not_write(tmp_path):
    open_run(tmp_path, RECORD, resume=False)
    open_run(tmp_path, RECORD | {"masks": {"lung": (), "void": ()}}, resume=True)
    with pytest.raises(UsageError, match="other start;"):
        open_run(tmp_path, RECORD | {"start": {"name": "lungs"}}, resume=True)


@pytest.mark.parametrize("content", ["no json", "[1, 2]", "{}", '{"kind": "fold"}', '{"kind": "fold", "settings": 5}'])
def test_record_that_is_damaged_is_refused(tmp_path, content):
    (tmp_path / "training.json").write_text(content)
    with pytest.raises(UsageError, match=r"training\.json: is damaged"):
        read_record(tmp_path)


def test_folder_that_holds_no_training_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no training"):
        read_record(tmp_path)


def other_shape(state):
    state["weight"] = torch.zeros(2, 2)


def not_finite(state):
    state["weight"][0, 0] = torch.nan


def one_too_many(state):
    state["more"] = torch.zeros(1)


def double(state):
    state["bias"] = state["bias"].double()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_shape, r"of another network than the settings of its run \(weight\)"),
        (one_too_many, r"of another network than the settings of its run \(more\)"),
        (double, r"of another network than the settings of its run \(bias\)"),
        (lambda state: state.pop("bias"), r"of another network than the settings of its run \(bias\)"),
        (not_finite, r"has weights that are not finite \(weight\)"),
    ],
)
def test_weights_of_another_network_or_not_finite_are_refused(tmp_path, change, words):
    network = torch.nn.Linear(2, 1)
    state = dict(network.state_dict())
    change(state)
    (tmp_path / "last.safetensors").write_bytes(save(state))
    write_result(tmp_path, {"epochs": 1})
    with pytest.raises(UsageError, match=words):
        load_weights(network, tmp_path, "last.safetensors")


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK"])
def test_only_the_first_of_parallel_processes_opens_a_run(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    open_run(tmp_path, RECORD, resume=False)
    assert not list(tmp_path.iterdir())


def test_second_training_in_the_same_folder_is_refused(tmp_path):
    with lock_run(tmp_path), pytest.raises(UsageError, match="another process trains"), lock_run(tmp_path):
        pass
    with lock_run(tmp_path):
        pass


def test_run_of_before_there_was_a_setting_is_resumed(tmp_path):
    open_run(tmp_path, RECORD, resume=False)
    open_run(tmp_path, RECORD | {"settings": {"seed": 0, "patient": None}}, resume=True)
    with pytest.raises(UsageError, match="other settings;"):
        open_run(tmp_path, RECORD | {"settings": {"seed": 0, "patient": {"columns": ["age"]}}}, resume=True)


def test_record_without_access_is_no_missing_one(tmp_path, monkeypatch):
    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    with pytest.raises(UsageError, match=r"training\.json: permission denied"):
        read_record(tmp_path)

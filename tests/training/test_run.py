import pytest

from cxrnet.errors import UsageError
from cxrnet.training.run import lock_run, open_run, read_record

RECORD = {"kind": "segmenter", "films": 3, "settings": {"seed": 0}}


def test_started_run_is_refused_without_resume(tmp_path):
    open_run(tmp_path, RECORD, resume=False)
    with pytest.raises(UsageError, match="--resume"):
        open_run(tmp_path, RECORD, resume=False)


def test_started_run_is_resumed_with_the_same_record_only(tmp_path):
    open_run(tmp_path, RECORD, resume=True)
    open_run(tmp_path, RECORD, resume=True)
    with pytest.raises(UsageError, match="other films, settings;"):
        open_run(tmp_path, RECORD | {"films": 4, "settings": {"seed": 1}}, resume=True)


def test_run_of_an_earlier_version_is_resumed_without_the_fields_it_did_not_write(tmp_path):
    open_run(tmp_path, RECORD, resume=False)
    open_run(tmp_path, RECORD | {"masks": {"lung": (), "void": ()}}, resume=True)
    with pytest.raises(UsageError, match="other start;"):
        open_run(tmp_path, RECORD | {"start": {"name": "lungs"}}, resume=True)


@pytest.mark.parametrize("content", [None, "no json", "[1, 2]", "{}"])
def test_folder_that_holds_no_training_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "training.json").write_text(content)
    with pytest.raises(UsageError, match="holds no training"):
        read_record(tmp_path)


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

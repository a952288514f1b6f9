import json
import subprocess

import pytest
from benchmarks.regression import Ratio, Row, compare, last_release, main

from benchmarks import regression

SAME, SLOW = Ratio(0.99, 1.0, 1.01), Ratio(1.05, 1.2, 1.3)


@pytest.mark.parametrize(
    ("ratio", "is_slower"), [(SLOW, True), (SAME, False), (Ratio(0.9, 1.2, 1.3), False), (Ratio(1.05, 1.09, 2), False)]
)
def test_step_is_slower_beyond_ten_percent_and_the_noise(ratio, is_slower):
    assert ratio.is_slower is is_slower


def test_versions_take_turns_and_the_first_runs_do_not_count():
    order = []
    times = {"old": iter([99, 2, 4, 2]), "new": iter([99, 1, 4, 4])}

    def run(name):
        order.append(name)
        return float(next(times[name])), 1.0

    row = compare("read", lambda: run("old"), lambda: run("new"), 3)
    assert order == ["old", "new"] * 4
    assert row == Row("read", 2.0, 4.0, Ratio(0.75, 1.0, 1.5), Ratio(1.0, 1.0, 1.0))


def test_release_is_the_last_tag_or_the_commit_that_set_the_version(tmp_path):
    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "pyproject.toml").write_text('version = "1"\n')
    git("add", ".")
    git("commit", "-qm", "one")
    first = git("log", "-1", "--format=%h")
    git("commit", "-qm", "two", "--allow-empty")
    assert last_release(tmp_path) == first
    git("tag", "v1")
    assert last_release(tmp_path) == "v1"


def test_slower_step_fails_and_the_table_is_recorded(monkeypatch, tmp_path):
    rows = [Row("read", 1, 2, SLOW, SAME)]
    monkeypatch.setattr(regression, "measure", lambda *_: iter(rows))
    monkeypatch.setattr(regression, "git", lambda *_: "abc")
    history = tmp_path / "history.json"
    assert main(["abc", "--record", str(history)]) == 1
    assert main(["abc", "--elapsed", "--record", str(history)]) == 0
    first, _ = json.loads(history.read_bytes())
    assert first["rows"][0]["processor"] == list(SLOW)
    assert first["machine"]["cores"] >= 1


@pytest.mark.slow
def test_this_version_is_compared_with_itself(monkeypatch, capsys):
    main(["HEAD", "--runs", "2", "--images", "4"])
    assert "4 images" in capsys.readouterr().out

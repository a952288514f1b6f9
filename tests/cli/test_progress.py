from pathlib import Path

import pytest

from cxrnet.cli.progress import ProgressReport, show_progress
from cxrnet.screening.batch import Outcome
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input

NAMES = ("[red]a.png", "[bold]b[0] :smile:.png", "[link=file:c]c.png")


def outcome(name, status="scored", **values):
    reasons = (Reason("UNREADABLE", f"{name}: [/] is not an image"),) if status == "failed" else ()
    return Outcome(item=Input(path=Path(name), folder=""), status=status, reasons=reasons, row={}, **values)


@pytest.mark.parametrize("status", ["scored", "failed"])
def test_names_are_printed_as_they_are(capsys, status):
    with ProgressReport(total=len(NAMES), table=Path("[out]/findings.csv")) as report:
        for name in NAMES:
            report.observe(outcome(name, status), len(NAMES))
    printed = capsys.readouterr()
    assert "[out]/findings.csv" in printed.out
    for name in NAMES:
        assert name in printed.out
        assert status == "scored" or f"{name}: [/] is not an image" in printed.err


def test_stopped_run_prints_what_was_done(capsys):
    def stops():
        yield outcome("a.png")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show_progress(stops(), total=3, table=Path("findings.csv"))
    assert "stopped after 1 of 3 images: 1 scored; findings.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("found", "code"),
    [(outcome("a.png"), 0), (outcome("a.png", "failed"), 1), (outcome("a.png", missing=(Reason("NO_UID", "x"),)), 1)],
)
def test_exit_code_is_1_if_something_is_missing(capsys, found, code):
    assert show_progress((one for one in [found]), total=1, table=Path("findings.csv")) == code

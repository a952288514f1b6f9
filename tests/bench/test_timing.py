from time import sleep

from cxrnet.bench.timing import time_together


def test_tasks_take_turns_and_the_first_run_does_not_count():
    done = []
    timings = time_together({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, runs=2)
    assert done == ["a", "b", "a", "b", "a", "b"]
    assert [timing.runs for timing in timings.values()] == [2, 2]


def test_timing_is_in_milliseconds():
    timing = time_together({"": lambda: sleep(0.02)}, runs=3)[""]
    assert 20 <= timing.fastest <= timing.median <= timing.slowest < 2000

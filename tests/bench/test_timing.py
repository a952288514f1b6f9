from cxrnet.bench.timing import Timing, time_together


def test_tasks_take_turns_and_the_first_run_does_not_count():
    done = []
    timings = time_together({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, runs=2)
    assert done == ["a", "b", "a", "b", "a", "b"]
    assert [timing.runs for timing in timings.values()] == [2, 2]


def test_timing_is_the_median_and_the_range():
    assert Timing.of([4.0, 1.0, 2.0]) == Timing(median=2.0, fastest=1.0, slowest=4.0, runs=3)

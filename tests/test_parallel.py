import threading

import pytest

from cxrnet.parallel import parallel_map


def test_parallel_map_keeps_the_order_of_its_items():
    gates = [threading.Event() for _ in range(4)]

    def task(index):
        if index + 1 < len(gates):
            gates[index + 1].wait(5)  # later ones end first
        gates[index].set()
        return index

    assert list(parallel_map(task, range(4), jobs=4)) == [0, 1, 2, 3]


def test_parallel_map_does_not_run_far_ahead():
    started = []
    results = parallel_map(started.append, range(50), jobs=2)
    next(results)
    assert len(started) <= 5
    results.close()


def test_parallel_map_raises_what_a_task_raises_and_begins_no_more():
    started = []

    def task(index):
        started.append(index)
        if index == 1:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(parallel_map(task, range(50), jobs=1))
    assert len(started) < 10

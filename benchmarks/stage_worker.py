"""The steps of one image in a process of its own, for `benchmarks.regression`: of whatever `cxrnet` is on PYTHONPATH.

    python -P benchmarks/stage_worker.py STAGES BUNDLE IMAGE OUT

STAGES is the `stages.py` whose steps are run, so that both versions run the same. It prints the names of the steps as
JSON; then, for each name on standard input, runs that step and prints its processor and elapsed time in milliseconds.
Processor time includes that of the reader's process.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from time import perf_counter, process_time

from cxrnet import Pipeline


def processor_time() -> float:
    """Return the seconds of processor time of this process and of its children, which have one thread each."""
    children = [child for file in Path("/proc/self/task").glob("*/children") for child in file.read_text().split()]
    ran = sum(int(Path(f"/proc/{child}/schedstat").read_text().split()[0]) for child in children)
    return process_time() + ran / 1e9


def main() -> None:
    """Serve until standard input ends."""
    stages, bundle, image, out = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("stages", stages)
    if spec is None or spec.loader is None:
        sys.exit(f"ERROR {stages}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    with Pipeline.load(bundle, threads=1) as pipeline:
        tasks = module.stage_tasks(pipeline, Path(image), Path(out))
        print(json.dumps(list(tasks)), flush=True)
        for line in sys.stdin:
            processor, elapsed = processor_time(), perf_counter()
            tasks[line.strip()]()
            times = processor_time() - processor, perf_counter() - elapsed
            print(json.dumps([1000 * seconds for seconds in times]), flush=True)


if __name__ == "__main__":
    main()

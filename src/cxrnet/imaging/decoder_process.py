"""The process that decodes: one request, one answer, until its standard input ends.

Started by `decoding`; it is killed when a file takes too long and replaced when a codec crashes it, so
nothing here needs to survive.
"""

import math
import os
import signal
import sys
from typing import Any, BinaryIO

from cxrnet.errors import RadiographError
from cxrnet.imaging import dicom, raster  # noqa: F401  (imported before memory is limited and time is taken)
from cxrnet.imaging.files import read_file, read_labels
from cxrnet.imaging.label_map import LabelMap
from cxrnet.imaging.protocol import receive, send
from cxrnet.imaging.radiograph import Fault, Limits, Radiograph, fault

_GRACE_SECONDS = 5


def main() -> None:
    """Serve requests on standard input and output; anything else that is printed goes to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what codecs print must not reach the protocol
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    try:
        terms = receive(requests)
        limits = Limits(**terms["limits"])
        limit_memory(limits.memory_bytes)
        send(answers, {"ready": True})
        while answer(receive(requests), answers, limits, identifiers=terms["identifiers"]):
            pass
    except (EOFError, BrokenPipeError):  # the parent is done, or dead
        sys.exit(0)


def limit_memory(allowance: int) -> None:
    """Limit the address space to what is used now and `allowance` bytes more; no core dumps.

    Does nothing where there is no `resource` module, or no /proc to learn the present use from.
    """
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as status:
            used = int(status.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + allowance if most == resource.RLIM_INFINITY else min(used + allowance, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(request: dict[str, Any], answers: BinaryIO, limits: Limits, *, identifiers: bool = False) -> bool:
    """Read the file that `request` names and send the outcome; false where the process should be replaced."""
    is_sound, name = True, request["name"]
    _set_alarm(math.ceil(limits.seconds) + _GRACE_SECONDS)
    try:
        if request.get("labels"):
            _send_pixels(answers, read_labels(request["path"], name=name, limits=limits), "values")
        else:
            radiograph = read_file(request["path"], name=name, limits=limits, identifiers=identifiers)
            _send_pixels(answers, radiograph, "pixels")
    except RadiographError as error:
        send(answers, {"code": error.code, "line": str(error)})
    except MemoryError:
        is_sound, problem = False, f"decoding needs more than {limits.memory_bytes / 2**20:.0f} MiB"
        _send_fault(answers, Fault.DECODER_MEMORY, name, problem, "the file is damaged or far too large")
    except Exception as error:
        problem = f"reading failed with {type(error).__name__}"
        _send_fault(answers, Fault.UNREADABLE, name, problem, "this is a fault of cxrnet, please report it")
    except BaseException as error:  # a panic in a codec written in Rust
        is_sound, problem = False, f"the decoder gave up with {type(error).__name__}"
        _send_fault(answers, Fault.DECODER_DIED, name, problem, "the file is damaged")
    _set_alarm(0)
    return is_sound


def _set_alarm(seconds: int) -> None:
    """End this process after `seconds`, in the middle of a codec if need be, should the parent be dead."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _send_pixels(answers: BinaryIO, read: Radiograph | LabelMap, field: str) -> None:
    """All fields but `field` as JSON, then that one."""
    fields = {key: getattr(read, key) for key in read.__dataclass_fields__ if key != field}
    pixels = getattr(read, field)
    send(answers, {"shape": pixels.shape, "fields": fields}, pixels)


def _send_fault(answers: BinaryIO, code: Fault, name: str, problem: str, remedy: str) -> None:
    """The refusal that the parent raises."""
    error = fault(code, name, problem, remedy)
    send(answers, {"code": error.code, "line": str(error)})

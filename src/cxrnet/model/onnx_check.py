"""Graphs that want data from other files are refused, before any runtime opens them.

An ONNX tensor may name a file to read its values from (`external_data`), by a path that has led out of its folder more
than once (CVE-2022-25882, CVE-2024-27318, CVE-2026-34447). Bundles have no use for it: a graph is one file, whose
sha256 is that of all it computes with. The form is read here without the library `onnx`, which is not needed to screen.
"""

from __future__ import annotations

from collections.abc import Iterator

from cxrnet.errors import BundleError

# Which fields of a message lead to tensors, from onnx.proto: message -> field -> message.
_LEADS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of Protocol Buffers
_GRAPH = 7  # of a model
_KEY = b"location"  # of the entry that names the file; runtimes refuse external data without it


def refuse_external_data(name: str, data: bytes) -> None:
    """Refuse an ONNX model that is none, or that keeps values in another file.

    Args:
        name: The bundle and file, for the message.
        data: The model.

    Raises:
        BundleError: It does, or it is no ONNX model.
    """
    waiting = [("model", memoryview(data))]
    leads = _LEADS if _KEY in data else {}  # the tensors of a graph take 60 ms to visit
    has_graph = False
    try:
        while waiting:
            kind, message = waiting.pop()
            for field, value in _fields(message):
                if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
                    msg = f"{name}: keeps weights in another file; a graph of a bundle is one file, export it again"
                    raise BundleError(msg)
                has_graph |= kind == "model" and field == _GRAPH
                further = leads.get(kind, {}).get(field)
                if further and isinstance(value, memoryview):
                    waiting.append((further, value))
    except (IndexError, ValueError) as error:
        raise _no_model(name) from error
    if not has_graph:
        raise _no_model(name)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (number, value) of each field of a message; the value of a fixed-width number is not told."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        field, kind = key >> 3, key & 7
        value: int | memoryview = 0
        if kind == _VARINT:
            value, at = _number(message, at)
        elif kind == _BYTES:
            length, at = _number(message, at)
            value, at = message[at : at + length], at + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at > len(message):
            raise ValueError("a field ends behind its message")
        yield field, value


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that does not end")


def _no_model(name: str) -> BundleError:
    return BundleError(f"{name}: is not an ONNX graph; import or build the bundle again")

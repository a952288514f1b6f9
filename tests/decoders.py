"""Decoders of the tests: a child process is started once, not again for every command that a test runs."""

import pytest

from cxrnet.imaging import child
from cxrnet.imaging.decoding import Decoder


@pytest.fixture(autouse=True)
def kept_children(idle_children, monkeypatch):
    """Whoever closes a decoder leaves its child to the next one of equal terms; `tests/imaging` has the real thing."""
    start, close, launch_early = Decoder.start, Decoder.close, child.launch_early

    def start_with_kept(decoder):
        kept = idle_children[decoder.limits, decoder.identifiers]
        while decoder._child is None and kept:
            taken = kept.pop()
            if taken.process.poll() is None:
                decoder._child, decoder._is_ready, decoder._served = taken, True, 0
            else:
                taken.end()
        start(decoder)

    def close_and_keep(decoder):
        if decoder._child is not None and decoder._is_ready:  # between two files: a read that fails ends its child
            idle_children[decoder.limits, decoder.identifiers].append(decoder._child)
            decoder._child = None
        close(decoder)

    monkeypatch.setattr(Decoder, "start", start_with_kept)
    monkeypatch.setattr(Decoder, "close", close_and_keep)
    monkeypatch.setattr(child, "launch_early", lambda: None if any(idle_children.values()) else launch_early())

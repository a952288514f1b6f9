"""Tests of `cxrnet.cli`."""

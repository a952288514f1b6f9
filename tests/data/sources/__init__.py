"""Tests of `cxrnet.sources`."""

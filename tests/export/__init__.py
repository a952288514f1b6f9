"""Tests of `cxrnet.export`."""

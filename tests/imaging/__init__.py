"""Tests of `cxrnet.imaging`."""

"""Tests of `cxrnet.data`."""

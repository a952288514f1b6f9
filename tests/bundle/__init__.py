"""Tests of `cxrnet.bundle`."""

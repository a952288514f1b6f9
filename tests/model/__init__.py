"""Tests of `cxrnet.model`."""

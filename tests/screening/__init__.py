"""Tests of `cxrnet.screening`."""

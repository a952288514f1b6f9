"""Tests of `cxrnet.plots`."""

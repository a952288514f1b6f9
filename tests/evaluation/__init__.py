"""Tests of `cxrnet.evaluation`."""

"""Tests of `cxrnet.figures`."""

"""Tests of `cxrnet.web`."""

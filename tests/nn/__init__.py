"""Tests of `cxrnet.nn`."""

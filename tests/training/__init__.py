"""Tests of `cxrnet.training`."""

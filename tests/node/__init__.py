"""Tests of cxrnet.node."""

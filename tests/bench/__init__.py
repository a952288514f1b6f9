"""Tests of cxrnet.bench."""

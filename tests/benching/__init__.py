"""Tests of cxrnet.benching."""

"""Tests of cxrnet.hospital."""

"""Tests of cxrnet.node.objects."""

"""Tests of `cxrnet.screening.panel`."""

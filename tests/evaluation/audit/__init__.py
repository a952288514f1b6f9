"""Tests of `cxrnet.evaluation.audit`."""

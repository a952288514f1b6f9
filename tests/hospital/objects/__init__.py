"""Tests of cxrnet.hospital.objects."""

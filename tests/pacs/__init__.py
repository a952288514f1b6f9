"""Tests with a real PACS."""

"""Figures of README, documents and model cards, written from what models and benchmarks hold."""

"""How good a bundle is: metrics with intervals, and the report."""

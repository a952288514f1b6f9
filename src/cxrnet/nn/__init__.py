"""The networks of the paper, defined once, in PyTorch."""

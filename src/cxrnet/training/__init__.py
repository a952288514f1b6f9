"""Training: losses, the two modules, the ensemble. PyTorch."""

"""Training and evaluation of the gate network."""

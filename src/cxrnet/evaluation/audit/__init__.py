"""The audit of a model: stability under acquisition changes, shortcuts, heat maps."""

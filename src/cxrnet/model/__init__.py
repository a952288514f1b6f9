"""A trained model on disk: its config, files, card and runtime."""

"""A model on disk: where the wing that makes models and the wing that uses them meet."""

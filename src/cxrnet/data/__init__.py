"""Films to train on: manifests, public collections, checks, folds, packs."""

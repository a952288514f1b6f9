"""Scripts that measure and make things outside the package; run them from the repository as modules."""

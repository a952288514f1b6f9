"""The annotated overview image of one finding."""

"""The tables and figures of the CXR-Net paper, made from a model and its user's data."""

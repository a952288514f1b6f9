"""Beside a PACS: DICOM objects, and the node that takes studies in and sends results on."""

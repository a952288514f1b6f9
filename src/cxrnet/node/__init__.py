"""PACS integration: DICOM objects, and a node that receives studies and forwards results."""

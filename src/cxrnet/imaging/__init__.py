"""From any file to a `Radiograph`, and from a `Radiograph` to a prepared image."""

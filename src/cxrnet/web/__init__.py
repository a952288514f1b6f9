"""The page that reads, screens and shows radiographs: as one file, as a folder, and behind a service."""

"""Input and circumstances that mean harm: bad files, kills, full disks, names that must not get out."""

"""No patient's name where it must not be."""

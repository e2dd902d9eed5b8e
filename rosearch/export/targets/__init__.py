"""Formats that a student is exported to, one file a target."""

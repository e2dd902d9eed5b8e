"""A run driven to its end, and read back from its records."""

"""A chosen student leaves the run: as a folder that plain transformers loads."""

"""TextAttack itself, unmodified: imported offline, with local files in place of downloads, and run row by row."""

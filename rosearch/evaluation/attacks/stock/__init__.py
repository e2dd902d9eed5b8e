"""TextAttack itself: imported offline, its models and attacks with our files in place of downloads, run row by row."""

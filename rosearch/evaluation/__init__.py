"""Measurements of a trained student: quality on clean text, robustness under attack, efficiency."""

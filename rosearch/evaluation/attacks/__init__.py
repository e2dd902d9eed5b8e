"""Attacks on a classifier by TextAttack's recipes: run by an engine of our own, or by TextAttack itself."""

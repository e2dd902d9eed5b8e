"""Architectures as data: genotypes, the rules of building them, their cost, search spaces, known architectures."""

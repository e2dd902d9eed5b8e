"""The command line: parse, call, print."""

from rosearch.cli.app import main

__all__ = ["main"]

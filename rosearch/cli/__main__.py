"""`python -m rosearch.cli`: the same as `rosearch`."""

from rosearch.cli import main

if __name__ == "__main__":
    main()

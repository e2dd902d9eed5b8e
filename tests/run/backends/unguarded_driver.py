"""A user's script that forgot `if __name__ == "__main__"`: every worker runs it again."""

from run.backends import chores

from rosearch.errors import RunError
from rosearch.run.backends.backend import Job
from rosearch.run.backends.local import LocalBackend

try:
    with LocalBackend(1) as backend:
        list(backend.run([Job(1, chores.square, 2)]))
except RunError as error:
    print(error)

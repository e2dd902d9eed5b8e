"""A user's script that forgot `if __name__ == "__main__"`: every worker runs it again."""

from backends import chores

from rosearch.backends.backend import Task
from rosearch.backends.local import LocalBackend
from rosearch.errors import RunError

try:
    with LocalBackend(1) as backend:
        list(backend.run([Task(1, chores.square, 2)]))
except RunError as error:
    print(error)

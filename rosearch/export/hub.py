"""An exported folder on the Hugging Face hub, in a new repository, by the hub's own client.

>>> require_hub("me/student")  # a valid name, a token, not offline: nothing is sent
>>> push = plan_push(Path("student"), "me/student")
>>> push.files[0], push.size  # what will be sent
(('README.md', 4120), 31400211)
>>> push.send()
'https://huggingface.co/me/student'

Nothing is sent before `send`, and nothing but the listed files. A repository is private unless asked otherwise.
`huggingface_hub` is imported where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rosearch.errors import BadInput, MissingResource, Problem, RosearchError, one_line
from rosearch.models.places import require_undamaged

_OPTION = "--push-to-hub"
_TAKEN, _UNKNOWN, _REFUSED = 409, 401, 403  # of HTTP


@dataclass(frozen=True)
class Push:
    """The files of a folder, by path and bytes, on their way to a new repository."""

    folder: Path
    name: str
    public: bool
    files: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)

    def send(self) -> str:
        """Makes the repository and sends the files in one commit; returns its address.

        Raises `BadInput` where the name is taken, `MissingResource` where the hub cannot be reached or refuses.
        """
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi(library_name="rosearch")
        with _told(f"{self.name}: it was not made"):
            made = api.create_repo(self.name, private=not self.public)
        files = [CommitOperationAdd(path, self.folder / path) for path, _ in self.files]
        with _told(f"{made.repo_id}: made, but it holds no files yet"):
            api.create_commit(made.repo_id, files, commit_message="Export of rosearch")
        return str(made)


def require_hub(name: str) -> None:
    """Raises `BadInput` for a name that is none, `MissingResource` without a token or in offline mode."""
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        problem = Problem("command line", _OPTION, "NAME or OWNER/NAME of the hub", repr(name), _first(error))
        raise BadInput(problem) from None
    if constants.HF_HUB_OFFLINE:
        raise MissingResource("HF_HUB_OFFLINE is set", "Unset it to push", _OPTION)
    if get_token() is None:
        raise MissingResource("no token of the hub", "Set HF_TOKEN, or log in by `hf auth login`", _OPTION)


def plan_push(folder: Path, name: str, *, public: bool = False) -> Push:
    """The files of a folder that would be sent: all but hidden ones. Nothing is sent yet.

    Raises `BadInput` for a folder that is no model, is damaged, or holds a link, whose target nobody was shown.
    """
    for needed in ("config.json", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise BadInput(Problem(str(folder), needed, "an exported folder", "no such file"))
    paths = [path for path in sorted(folder.rglob("*")) if not _hidden(path.relative_to(folder))]
    if links := [path for path in paths if path.is_symlink()]:
        raise BadInput(Problem(str(links[0]), "", "files of the folder itself", "a link", "Replace it by a copy"))
    for inside in (folder, *(path for path in paths if path.is_dir())):
        require_undamaged(inside)
    files = ((path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths if path.is_file())
    return Push(folder, name, public, tuple(files))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """The errors of the hub's client and of what it sends by, in one line."""
    try:
        yield
    except RosearchError:
        raise
    except Exception as error:  # of huggingface_hub, and of requests, httpx or hf_xet below it
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == _TAKEN:
            fix = "Choose another name; `hf upload NAME FOLDER` changes a repository that is yours"
            raise BadInput(Problem("the hub", where, "a name that is free", "a repository of that name", fix)) from None
        if status in (_UNKNOWN, _REFUSED):
            advice = "Log in by `hf auth login` with one that may write there"
            raise MissingResource(f"the hub refuses the token ({status})", advice, where) from None
        raise MissingResource(f"the hub cannot be reached ({_first(error)})", "Try again", where) from None


def _first(error: Exception) -> str:
    """The first line of an error that says something."""
    return one_line(next((line for line in str(error).splitlines() if line.strip()), type(error).__name__))

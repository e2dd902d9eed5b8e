"""The texts of an experiment's `corpus.sources`, found and read in their order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from rosearch.config.corpus import CorpusConfig, CorpusSource
from rosearch.data.hub import stream_hub
from rosearch.data.text_files import FORMATS, TextFile, document_paragraphs, is_text
from rosearch.data.text_stream import DECOMPRESSORS
from rosearch.errors import BadInput, Problem, Problems


class Source(ABC):
    """Text of one entry of `corpus.sources`; `where` names it to people, `key` is its place in the experiment."""

    def __init__(self, config: CorpusSource, key: str, where: str) -> None:
        self.config, self.key, self.where = config, key, where

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """One text that stands for all that the source's text follows from."""

    @property
    @abstractmethod
    def progress(self) -> tuple[int, int]:
        """The part that was read, and the whole."""

    @abstractmethod
    def problems(self) -> list[Problem]:
        """The problems that the first document of each file shows; no more is read."""

    @abstractmethod
    def _paragraphs(self) -> Iterator[str]: ...

    def paragraphs(self) -> Iterator[str]:
        """The text, as `text_files` describes it: at most `documents` of its documents.

        Raises `BadInput` for a source with a problem, or without any text.
        """
        whole, inside = 0, False
        for paragraph in self._paragraphs():
            yield paragraph
            if paragraph:
                inside = True
            elif inside:
                whole, inside = whole + 1, False
                if whole == self.config.documents:
                    return
        if not whole:
            raise BadInput(Problem(self.where, "", "text", "none"))


class FileSource(Source):
    """Files, in the order of their names."""

    def __init__(self, config: CorpusSource, key: str, files: list[TextFile]) -> None:
        super().__init__(config, key, str(config.path))
        self.files = files

    @property
    def fingerprint(self) -> str:
        """The content, the format and the number of documents; neither names nor times of files."""
        return "\x1e".join(["files", str(self.config.documents), *(file.fingerprint for file in self.files)])

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes of the files as they lie on the disk: read, and in all."""
        return sum(file.position for file in self.files), sum(file.size for file in self.files)

    def problems(self) -> list[Problem]:
        """The encoding, column and compression of each file, up to its first text; that no file holds text."""
        problems = Problems()
        texts = False
        for file in self.files:
            with problems:
                texts = any(file.paragraphs()) or texts
        if not (problems.found or texts):
            problems.add(Problem(self.where, "", "text", "none"))
        return problems.found

    def _paragraphs(self) -> Iterator[str]:
        for file in self.files:
            yield from file.paragraphs()


class HubSource(Source):
    """A column of a dataset, streamed; each row is a document."""

    def __init__(self, config: CorpusSource, key: str) -> None:
        super().__init__(config, key, f"{config.hub}{f' ({config.config})' if config.config else ''}, {config.split}")
        self._rows, self._ended = 0, False

    @property
    def fingerprint(self) -> str:
        """The names and the revision; the hub is not asked for the content."""
        config = self.config
        parts = (config.hub, config.config, config.revision, config.split, config.column, config.documents)
        return "\x1e".join(["hub", *map(str, parts)])

    @property
    def progress(self) -> tuple[int, int]:
        """Rows read, and in all. Their number is known at the end only: before it there is always one more."""
        return self._rows, max(self.config.documents or 0, self._rows + (not self._ended))

    def problems(self) -> list[Problem]:
        """No problems: the content of the hub is seen when it is read."""
        return []

    def _paragraphs(self) -> Iterator[str]:
        self._rows, self._ended = 0, False
        for document in stream_hub(self.config, self.where):
            self._rows += 1
            yield from document_paragraphs(document)
        self._ended = True


def find_sources(config: CorpusConfig) -> list[Source]:
    """The sources of a corpus. Raises `BadInput` with every path that leads to no text file."""
    sources: list[Source] = []
    problems = Problems()
    for number, source in enumerate(config.sources):
        key = f"corpus.sources.{number}"
        if source.hub is not None:
            sources.append(HubSource(source, key))
            continue
        with problems:
            sources.append(FileSource(source, key, _files(source, f"{key}.path")))
    problems.raise_found()
    return sources


def _files(source: CorpusSource, key: str) -> list[TextFile]:
    """The file of a path, the files of a folder in known formats, or the files of a pattern, all in known formats."""
    path = Path(source.path or "")
    formats = f"{', '.join(FORMATS)}, all but Parquet also {', '.join(DECOMPRESSORS)}"
    if path.is_dir():
        paths = [file for file in path.rglob("*") if is_text(file) and not _hidden(file, path)]
    else:
        paths = [path] if path.is_file() else _matching(path, key)
    paths = sorted(file for file in paths if file.is_file())
    if strange := [file.name for file in paths if not is_text(file)]:
        raise BadInput(Problem("experiment", key, f"files of {formats}", ", ".join(strange[:5])))
    if not paths:
        got = f"{path}, where there is none"
        raise BadInput(Problem("experiment", key, f"a text file, or a folder or pattern of some ({formats})", got))
    return [TextFile(file, source.column, source.members) for file in paths]


def _matching(pattern: Path, key: str) -> list[Path]:
    root = Path(pattern.anchor)
    try:
        return list(root.glob(str(pattern.relative_to(root))))
    except ValueError as error:  # ** beside other letters
        raise BadInput(Problem("experiment", key, "a pattern", f"{pattern}: {error}")) from None


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)

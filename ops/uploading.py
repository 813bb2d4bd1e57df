"""Upload files and folders under keys that are ingested."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from csv_ingest.model import ObjectVersion
from ops.pipeline import Pipeline


class NotIngested(ValueError):
    """An object under this key would not be ingested, or would replace another one of the same command."""


class Planned(NamedTuple):
    """A file, and the key of the object that it becomes."""

    file: Path
    key: str


class Plan(NamedTuple):
    """What is uploaded, and which files of the folders are not."""

    files: list[Planned]
    passed_over: list[Path]


def plan(pipeline: Pipeline, paths: Iterable[Path], folder: str) -> Plan:
    """Which files are uploaded, under which keys: below a folder of the bucket, with the path below the folder given.

    Of a folder, files that would not be ingested are passed over. Raises NotIngested if a file that was named itself
    would not be ingested, if two files have the same key, if there is no file, or if the folder is an address.
    """
    if folder.startswith("/") or "://" in folder:
        raise NotIngested(f"{folder} is not a folder of the bucket: name it as in incoming/")
    before = folder.rstrip("/") + "/" if folder else ""
    files: dict[str, Path] = {}
    passed_over: list[Path] = []
    for file, name, is_named in _files(paths):
        key = before + name
        if not _is_text(key) or not pipeline.is_ingested(key):
            if is_named:
                raise NotIngested(f"{key} would not be ingested: only {pipeline.rule} is")
            passed_over.append(file)
        elif key in files:
            raise NotIngested(f"{files[key]} and {file} would have the same key, {key}: upload one after the other")
        else:
            files[key] = file
    if not files:
        raise NotIngested(f"no file in the folder would be ingested: only {pipeline.rule} is")
    return Plan([Planned(file, key) for key, file in files.items()], passed_over)


def upload(pipeline: Pipeline, files: Sequence[Planned], progress: Callable[[str], None]) -> list[ObjectVersion]:
    """Upload files one after another, each in parts if it is large; `progress` is told how far it is."""
    versions = []
    for number, planned in enumerate(files, start=1):
        told = _Sent(f"{planned.key}, {number:,} of {len(files):,} files", planned.file.stat().st_size, progress)
        pipeline.s3.upload_file(str(planned.file), pipeline.upload_bucket, planned.key, Callback=told)
        versions.append(pipeline.latest(planned.key))
    return versions


class _Sent:
    """Gets the bytes that boto3's threads have sent since the last call, and tells how many of all they are."""

    def __init__(self, what: str, size: int, progress: Callable[[str], None]) -> None:
        self._what, self._size, self._progress = what, size, progress
        self._sent = 0

    def __call__(self, sent: int) -> None:
        self._sent += sent
        self._progress(f"{self._what}, {self._sent / 1e6:,.1f} of {self._size / 1e6:,.1f} MB")


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str, bool]]:
    """Each file with its name in the bucket, and whether it was named itself."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    yield file, file.relative_to(path).as_posix(), False
        else:
            yield path, path.name, True


def _is_text(key: str) -> bool:
    """Whether a key can be an object's: the bytes of a file's name need not be UTF-8."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True

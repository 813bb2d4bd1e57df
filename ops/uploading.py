"""Upload files and folders under keys that are ingested."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from csv_ingest.model import ObjectVersion, PipelineError

from .pipeline import Pipeline
from .wording import Progress, counted

AT_ONCE = 10  # how many files are uploaded at the same time


class NotIngested(ValueError):
    """An object under this key would not be ingested, or would replace another one of the same command."""


class NotUploaded(PipelineError):
    """A file could not be uploaded. The message names it, and says why."""


class Planned(NamedTuple):
    """A file, and the key of the object that it becomes."""

    file: Path
    key: str


class Plan(NamedTuple):
    """The files to upload, and those of the folders that would not be ingested."""

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
        is_text = key.encode(errors="ignore").decode() == key  # the bytes of a file's name need not be UTF-8
        if not is_text or not pipeline.intake.takes(key):
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


def upload(pipeline: Pipeline, files: Sequence[Planned], progress: Progress) -> list[ObjectVersion]:
    """Upload files, ten at a time, each in parts if it is large; returns their versions, in the order of the files.

    `progress` is told how far it is. If a file cannot be uploaded, none is begun any more: raises NotUploaded once
    those have ended that were under way.
    """
    sent = _Sent(len(files), sum(planned.file.stat().st_size for planned in files), progress)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(_upload, pipeline, planned, sent) for planned in files]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt:
            sent.is_stopped = True  # ends the uploads, at the next piece of each
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    return [upload.result() for upload in running]  # those that were not begun come after the one that failed


def _upload(pipeline: Pipeline, planned: Planned, sent: "_Sent") -> ObjectVersion:
    try:
        pipeline.clients.s3.upload_file(str(planned.file), pipeline.upload_bucket, planned.key, Callback=sent.add)
        version = pipeline.latest(planned.key)
    except (ClientError, BotoCoreError, Boto3Error, OSError) as error:
        raise NotUploaded(f"{planned.file} was not uploaded: {error}") from error
    sent.add(0, files=1)
    return version


class _Stopped(Exception):
    """The user ends the command, and the uploads that are under way with it."""


class _Sent:
    """Is told by many threads what they have sent since the last call, and tells how much of all that is."""

    def __init__(self, files: int, size: int, progress: Progress) -> None:
        self._files, self._size, self._progress = counted(files, "file"), size, progress
        self._sent = self._done = 0
        self.is_stopped = False
        self._lock = Lock()

    def add(self, sent: int, *, files: int = 0) -> None:
        if self.is_stopped:
            raise _Stopped
        with self._lock:
            self._sent += sent
            self._done += files
            megabytes = f"{self._sent / 1e6:,.1f} of {self._size / 1e6:,.1f} MB"
            self._progress(f"{self._done:,} of {self._files}, {megabytes}")


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str, bool]]:
    """Each file with its name in the bucket, and whether it was named itself."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    yield file, file.relative_to(path).as_posix(), False
        else:
            yield path, path.name, True

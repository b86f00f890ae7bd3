"""
Promotions on this machine's disk that the relay has not got yet: one file each, as docs/SPOOL.md has it. They are
delivered in order for each target, the older first, by one process at a time. A file goes when the relay has given a
definite answer, and not before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from .deliver import Verdict
from .entry import FILE_LIMIT_BYTES, NAME, Entry, NotAnEntry, TooNew, digest_in, entry_in
from .result import FlushResult, PromoteResult
from .window import Window

try:
    import fcntl
except ImportError:  # Windows: what two processes deliver at once, the relay knows again
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
LOCK_LOOK_SECONDS = 0.02
OLD_TEMPORARY_SECONDS = 3600.0

_O_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_O_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
# Of file systems where a directory can't be synced.
_CANT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EPERM, errno.EACCES)


class TooLate(Exception):
    """The caller has been told that it is not spooled."""


@dataclass
class _Flush:
    """What a flush has come to so far."""

    delivered: list[PromoteResult] = field(default_factory=list)
    refused: list[PromoteResult] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    reason: str = ""
    fault: str = ""
    """Of the disk."""
    done: set[str] = field(default_factory=set)
    """Names that are done with, also where their file can't be taken away."""


class Spool:
    def __init__(self, directory: str) -> None:
        self._directory = directory

    def write(self, entry: Entry, window: Window) -> None:
        """
        On the disk when it returns.

        :raises OSError: no room, no right, no directory: nothing of it is left.
        :raises TooLate: the window was over before the file had its name.
        """
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        temporary = self._path(f".{entry.id}.tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_NOFOLLOW, 0o600)
            with open(handle, "wb") as file:
                file.write(entry.written())
                file.flush()
                os.fsync(file.fileno())
            if window.over:
                raise TooLate
            os.rename(temporary, self._path(entry.file_name))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        try:
            self._sync()
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(self._path(entry.file_name))
            raise

    def waiting(self, digest: Optional[str] = None) -> list[str]:
        """
        Names of files, oldest first; of one target, or of all with those that are no promotion's.

        :raises OSError: the directory can't be read.
        """
        files = sorted(name for name in self._names() if name.endswith(".json") and not name.startswith("."))
        return files if digest is None else [n for n in files if NAME.fullmatch(n) and digest_in(n) == digest]

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._directory)
        except FileNotFoundError:
            return []

    def flush(
        self,
        deliver: Callable[[Entry], Verdict],
        window: Window,
        digest: Optional[str] = None,
        lock_window: Optional[Window] = None,
    ) -> FlushResult:
        """
        Delivers what waits, of one target or of all; a target stops at its first failure. Never raises.

        :param lock_window: how long to wait for another process that delivers.
        """
        so_far = _Flush()
        left = 0
        try:
            if self.waiting(digest):
                with self._locked(lock_window or window) as locked:
                    if locked:
                        self._deliver_all(self.waiting(digest), deliver, window, so_far)
                    else:
                        so_far.reason = "another process is delivering"
            if digest is None:
                self._sweep()
            left = len(set(self.waiting(digest)) - so_far.done)
        except OSError as error:
            so_far.fault = fault_of(error)
        fault = f"the spool can't be used: {so_far.fault}" if so_far.fault else ""
        reason = (so_far.reason or fault) if left else fault
        return FlushResult(tuple(so_far.delivered), tuple(so_far.refused), tuple(so_far.bad), left, reason)

    def _deliver_all(
        self, names: list[str], deliver: Callable[[Entry], Verdict], window: Window, so_far: _Flush
    ) -> None:
        stopped: set[str] = set()
        for name in names:
            if window.over:
                so_far.reason = so_far.reason or "there was no time for all"
                return
            if digest_in(name) in stopped:
                continue
            try:
                entry = self._read(name)
            except FileNotFoundError:
                continue
            except NotAnEntry as error:
                self._put_aside(name, "bad", so_far)
                so_far.bad.append(f"{name}.bad: {error}")
                continue
            except TooNew as error:
                so_far.reason = f"{name} can't be delivered here: {error}"
                stopped.add(digest_in(name))
                continue
            verdict = deliver(entry)
            result = verdict.result
            if not verdict.settled:
                so_far.reason = result.reason
                stopped.add(entry.digest)
                if verdict.away:
                    return
            elif result.status in ("invalid", "key_reused"):
                self._put_aside(name, "refused", so_far)
                so_far.refused.append(replace(result, id=entry.id))
            else:
                self._put_aside(name, None, so_far)
                so_far.delivered.append(result)

    def _read(self, name: str) -> Entry:
        """:raises FileNotFoundError: another process was quicker."""
        if not NAME.fullmatch(name):
            raise NotAnEntry("no promotion has such a name")
        try:
            # A link or a pipe is nobody's promotion, and must not be waited for.
            handle = os.open(self._path(name), os.O_RDONLY | _O_NOFOLLOW | _O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                raise NotAnEntry("it is no file") from None
            raise
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise NotAnEntry("it is no file")
            with open(handle, "rb", closefd=False) as file:
                text = file.read(FILE_LIMIT_BYTES + 1)
        finally:
            os.close(handle)
        if len(text) > FILE_LIMIT_BYTES:
            raise NotAnEntry("it is too long")
        return entry_in(name, text)

    def _put_aside(self, name: str, why: Optional[str], so_far: _Flush) -> None:
        """By another name, or away. Where the disk refuses, it is delivered again, and the relay knows it again."""
        so_far.done.add(name)
        try:
            if why is None:
                os.unlink(self._path(name))
            else:
                os.rename(self._path(name), self._path(f"{name}.{why}"))
            self._sync()
        except FileNotFoundError:
            pass
        except OSError as error:
            so_far.fault = fault_of(error)

    @contextlib.contextmanager
    def _locked(self, window: Window) -> Iterator[bool]:
        if fcntl is None:
            yield True
            return
        try:
            handle = os.open(self._path(LOCK_NAME), os.O_RDWR | os.O_CREAT | _O_NOFOLLOW, 0o600)
        except OSError:
            # A disk that has become read-only keeps nothing from being delivered.
            yield True
            return
        try:
            locked = _lock(handle)
            while not locked and not window.over:
                window.pause(LOCK_LOOK_SECONDS)
                locked = _lock(handle)
            yield locked
        finally:
            # The lock goes with it, also when the process is killed.
            os.close(handle)

    def _sweep(self) -> None:
        """What writers left that were killed before they told anybody that it was spooled."""
        before = time.time() - OLD_TEMPORARY_SECONDS
        for name in self._names():
            if name.startswith(".") and name.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    if os.stat(self._path(name)).st_mtime < before:
                        os.unlink(self._path(name))

    def _sync(self) -> None:
        if os.name == "nt":
            return
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in _CANT_SYNC:
                raise
        finally:
            os.close(handle)

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def fault_of(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno is not None else type(error).__name__

"""Bring one file over HTTP: taken up where it broke off, checked, and in place only when it is whole.

`huggingface_hub` 2 throws a broken download away; a data set of gigabytes needs better.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final, TypeAlias

from evals.errors import DownloadFailed
from tools.pixel_modes import printable

if TYPE_CHECKING:
    from hashlib import _Hash

    import httpx2

Arrived: TypeAlias = Callable[[int], None]
"""Told how many more bytes are here; negative where some had to be thrown away."""

TRIES: Final = 6
"""In a row without a byte before a download gives up."""
FIRST_WAIT_S: Final = 1.0
"""Before the second try; doubled with each."""

_CHUNK: Final = 1 << 20
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True)
class Remote:
    """A file to bring; its checksum is a SHA-256 or, where Git keeps it itself, the SHA-1 of its blob."""

    name: str
    url: str
    size: int
    sha256: str | None = None
    blob_sha1: str | None = None

    def __post_init__(self) -> None:
        if self.sha256 is None and self.blob_sha1 is None:
            raise DownloadFailed(f"the hub tells no checksum of {self.shown}; it is not downloaded")

    @property
    def shown(self) -> str:
        """Its name for messages."""
        return printable(self.name)

    @property
    def checksum(self) -> str:
        """In hex."""
        return self.sha256 or self.blob_sha1 or ""

    def is_at(self, path: Path) -> bool:
        """Whether a file is this one, by size and checksum."""
        try:
            if path.stat().st_size != self.size:
                return False
        except OSError:
            return False
        with path.open("rb") as file:
            digest = self._digest()
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest() == self.checksum

    def _digest(self) -> _Hash:
        if self.sha256 is not None:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


@contextmanager
def open_client(headers: Mapping[str, str]) -> Iterator[httpx2.Client]:
    """Asks with these headers; credentials among them are not sent on to another host."""
    import httpx2

    asked = {**headers, "accept-encoding": "identity"}  # ranges are of the file, not of its compressed form
    with httpx2.Client(headers=asked, timeout=_TIMEOUT_S, follow_redirects=True) as client:
        yield client


def bring(
    remote: Remote,
    target: Path,
    *,
    client: httpx2.Client,
    arrived: Arrived,
    stop: Event,
) -> None:
    """Bring a file to `target`; what came of it before lies beside it and is not brought again.

    A broken connection is taken up again as long as something comes; after `TRIES` without a byte it is over,
    and the next call goes on from there.

    Args:
        remote: the file.
        target: where it goes; a file there that is the right one already is left.
        client: as `open_client` makes it; may serve several downloads.
        arrived: told of bytes as they come, those of earlier calls first.
        stop: set by who gives up; the download ends soon after, and what came is kept.

    Raises:
        DownloadFailed: it could not be brought whole, or is not what its checksum says.
    """
    if remote.is_at(target):
        arrived(remote.size)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{remote.checksum[:12]}.part")
    if part.exists() and part.stat().st_size > remote.size:
        part.unlink()
    have = part.stat().st_size if part.exists() else 0
    arrived(have)
    failed = 0
    while have < remote.size:
        if stop.is_set():
            raise DownloadFailed(f"{remote.shown}: stopped at {have} of {remote.size} bytes")
        before = have
        reason = _rest(client, remote, part, arrived, stop)
        have = part.stat().st_size if part.exists() else 0
        if reason is None:
            continue
        failed = 0 if have > before else failed + 1
        if failed >= TRIES:
            raise DownloadFailed(
                f"{remote.shown}: {reason}; {have} of {remote.size} bytes are here and the same command"
                " goes on from there"
            )
        stop.wait(min(FIRST_WAIT_S * 2**failed, 60.0))
    part.touch()
    if not remote.is_at(part):
        part.unlink()
        raise DownloadFailed(f"{remote.shown} is not what its checksum says; it was removed, try again")
    part.replace(target)


def _rest(client: httpx2.Client, remote: Remote, part: Path, arrived: Arrived, stop: Event) -> str | None:
    """Ask for what is missing and append it; what went wrong if it makes sense to ask again, else None."""
    import httpx2

    have = part.stat().st_size if part.exists() else 0
    try:
        with client.stream("GET", remote.url, headers={"range": f"bytes={have}-"} if have else {}) as answer:
            if answer.status_code >= 500 or answer.status_code in (408, 429):
                return f"the hub answers {answer.status_code}"
            if answer.status_code == 416 and have:  # what is here is no beginning of what is there
                arrived(-have)
                part.unlink()
                return "the hub has nothing more to send"
            if answer.status_code not in (200, 206):
                raise DownloadFailed(
                    f"{remote.shown}: the hub answers {answer.status_code}; {_advice(answer)}"
                )
            starts_over = answer.status_code == 200 or not _continues(answer, have)
            if starts_over and have:
                arrived(-have)
                have = 0
                part.unlink()
            if answer.status_code == 206 and starts_over:
                return "the hub sent another part than was asked for"
            with part.open("ab") as file:
                for chunk in answer.iter_bytes():  # as it comes: what is buffered would be lost
                    file.write(chunk[: remote.size - have])
                    arrived(min(len(chunk), remote.size - have))
                    have += len(chunk)
                    if stop.is_set():
                        break
                    if have > remote.size:
                        raise DownloadFailed(
                            f"{remote.shown} is longer than the hub says; it is not downloaded"
                        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return f"the connection broke ({type(error).__name__})"
    return None if have == remote.size else "the connection ended early"


def _continues(answer: httpx2.Response, have: int) -> bool:
    return answer.headers.get("content-range", "").startswith(f"bytes {have}-")


def _advice(answer: httpx2.Response) -> str:
    if answer.status_code in (401, 403):
        return "log in with `hf auth login`, or set HF_TOKEN, and accept the data's terms on its page"
    return "check the name of the data set and its revision"

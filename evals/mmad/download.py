"""Bring MMAD here from the Hugging Face hub: resumed, checked, unpacked safely.

As published (https://github.com/jam-cc/MMAD): all images in one `ALL_DATA.zip` beside `mmad.json`. A data set
without such an archive is brought file by file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from filelock import FileLock, Timeout
from pydantic import ValidationError

from evals.errors import DownloadFailed
from evals.mmad.dataset import MMAD_FILE
from evals.mmad.inside import Inside, PathLeaves
from evals.mmad.transfer import Remote, bring, open_client
from evals.mmad.unpacking import unpack
from tools.atomic import write_atomically
from tools.pixel_modes import printable
from tools.types import Value

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SOURCE: Final = "jiang-cc/MMAD"
REVISION: Final = "refs/pr/1"
"""Where MMAD's archive lies, as the instructions of its repository say."""
ARCHIVE: Final = "ALL_DATA.zip"
RECORD: Final = ".download.json"

_BESIDE: Final = (MMAD_FILE, "domain_knowledge.json")

Stage: TypeAlias = Literal["downloading", "unpacking"]
Progress: TypeAlias = Callable[[Stage, int, int], None]
"""Told the stage, and how many bytes of it are done, of how many."""

_AT_ONCE: Final = 8


class Record(Value):
    """What was brought, written last: its presence says that the download was whole.

    `files` are sizes in bytes by path; `commit` pins the revision.
    """

    source: str
    revision: str
    commit: str
    files: dict[str, int]

    def still_there(self, target: Path) -> bool:
        """Whether every file is there in its size."""
        try:
            return all((target / name).stat().st_size == size for name, size in self.files.items())
        except OSError:
            return False


def download_mmad(
    target: Path,
    *,
    revision: str | None = None,
    source: str = SOURCE,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Bring a data set here, or what is missing of it; give its folder back.

    A call that was stopped is taken up by the next. Files are compared with the hub's checksums, the
    archive's members with its CRCs; the archive is removed once it is unpacked. Call it in a process that has
    not imported anomalib, which takes the hub away for the whole process.

    Args:
        target: folder; made if it is not there.
        revision: branch, tag, commit or pull request of the data set; None: `REVISION` for MMAD itself, and
            `main` for any other source.
        source: name of the data set on the hub.
        endpoint: another hub; None: HF_ENDPOINT, or huggingface.co.
        progress: told from several threads, one at a time.

    Raises:
        DownloadFailed: the hub cannot be reached or knows no such data set, a file is not what its checksum
            says, the archive is unsafe, the disk is full, or another process downloads to the same folder.
    """
    tell = progress or (lambda _stage, _done, _total: None)
    revision = revision or (REVISION if source == SOURCE else "main")
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            return _download(target, revision, source, endpoint, tell)
    except OSError as error:
        raise DownloadFailed(
            f"{printable(str(target))} cannot be written ({error.strerror or error})"
        ) from error


def _download(target: Path, revision: str, source: str, endpoint: str | None, tell: Progress) -> Path:
    api = _hub(endpoint)
    commit, remotes = _listed(api, source, revision, target)
    earlier = _record(target)
    if earlier is not None and earlier.commit == commit and earlier.still_there(target):
        return target
    (target / RECORD).unlink(missing_ok=True)
    archive = next((one for one in remotes if one.name == ARCHIVE), None)
    files: dict[str, int] = {}
    if archive is not None:
        remotes = [one for one in remotes if one.name in _BESIDE]
        _bring_all([archive], target, tell)
        names = unpack(target / ARCHIVE, target, progress=lambda done, total: tell("unpacking", done, total))
        files = {name: (target / name).stat().st_size for name in names}
    _bring_all(remotes, target, tell)  # after the archive, since its copies may be older
    files |= {one.name: one.size for one in remotes}
    if MMAD_FILE not in files:
        raise DownloadFailed(f"{source} at {revision} holds no {MMAD_FILE}; give another --revision")
    record = Record(source=source, revision=revision, commit=commit, files=files)
    write_atomically(target / RECORD, record.model_dump_json(indent=1).encode())
    (target / ARCHIVE).unlink(missing_ok=True)
    return target


def _bring_all(wanted: list[Remote], target: Path, tell: Progress) -> None:
    from huggingface_hub import get_token

    token = get_token()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    total, done, lock, stop = sum(one.size for one in wanted), 0, Lock(), Event()

    def arrived(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            tell("downloading", done, total)

    with open_client(headers) as client, ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        brought = [
            pool.submit(bring, one, target / one.name, client=client, arrived=arrived, stop=stop)
            for one in wanted
        ]
        try:
            for one in as_completed(brought):
                one.result()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _hub(endpoint: str | None) -> HfApi:
    try:
        from huggingface_hub import HfApi, constants
    except ImportError as error:
        raise DownloadFailed(
            "huggingface_hub is not installed: pip install 'inspection-agent[data]'"
        ) from error
    if constants.HF_HUB_OFFLINE:
        raise DownloadFailed(
            "HF_HUB_OFFLINE is set, so that nothing may be downloaded; unset it and try again"
        )
    return HfApi(endpoint=endpoint)


def _listed(api: HfApi, source: str, revision: str, target: Path) -> tuple[str, list[Remote]]:
    """The commit that a revision names, and its files."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    named = f"{printable(source)} at {printable(revision)}"
    try:
        found = api.dataset_info(source, revision=revision, files_metadata=True, timeout=30)
    except HFValidationError as error:
        raise DownloadFailed(f"{named} is no possible name of a data set on the hub") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "nothing"
        raise DownloadFailed(
            f"the hub answers {status} for {named}; check name, revision and access (hf auth login)"
        ) from error
    except Exception as error:  # whatever the HTTP library of this version of the hub's client raises
        raise DownloadFailed(
            f"the hub cannot be reached for {named} ({type(error).__name__}); check network and HF_ENDPOINT"
        ) from error
    if not found.sha:
        raise DownloadFailed(f"the hub tells no commit of {named}")
    inside, remotes = Inside(target), []
    for file in found.siblings or []:
        try:
            inside.path(file.rfilename)
        except PathLeaves as error:
            raise DownloadFailed(f"{named} is not downloaded: the path {error}") from error
        if file.rfilename.startswith("."):
            continue
        url = hf_hub_url(
            source, file.rfilename, repo_type="dataset", revision=found.sha, endpoint=api.endpoint
        )
        sha256, size = (file.lfs.sha256, file.lfs.size) if file.lfs else (None, file.size or 0)
        remotes.append(Remote(file.rfilename, url, size, sha256, None if file.lfs else file.blob_id))
    return found.sha, remotes


def _record(target: Path) -> Record | None:
    try:
        return Record.model_validate_json((target / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    lock = FileLock(target / ".download.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DownloadFailed(
            f"another process is downloading to {printable(str(target))}; wait for it"
        ) from error
    try:
        yield
    finally:
        lock.release()

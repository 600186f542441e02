"""Download of models from a Hugging Face hub: pinned, checked, cached, and imported like any other foreign model.

What is fetched is known by its sha256, so the cache is a folder of files under their checksums. huggingface_hub does
the fetching, with its own settings for mirrors (HF_ENDPOINT), proxies (HTTPS_PROXY), tokens and HF_HUB_OFFLINE.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import FerdError, MissingPackageError, ModelError, OutputError, RunError
from .archives import MAX_ARCHIVE_BYTES
from .backend import require_torch
from .bundle import BUNDLE_FILES, Model
from .catalogue import Pinned, pin
from .folders import check_free
from .importers import import_model
from .store import cache_folder, user_folder

logger = logging.getLogger("ferd")

_HUB_LOGGER = logging.getLogger("huggingface_hub")


def download_model(
    name: str,
    *,
    repo: str | None = None,
    revision: str | None = None,
    sha256: Sequence[str] = (),
    offline: bool = False,
    overwrite: bool = False,
) -> Model:
    """Fetch a model into the user's folder under a name of the catalogue, or from a repository of the user's choice.

    repo, revision, sha256 : see `catalogue.pin`. offline : take the files from the caches, and open no connection.
    Raises `UsageError` where anything is not pinned, `ModelError` where there is no such file or it is not what its
    checksum says, `RunError` where the network or the hub fails, `MissingPackageError`, and what `import_model` raises.
    A failed download leaves neither model nor file behind.
    """
    pinned = pin(name, repo=repo, revision=revision, sha256=sha256)
    check_free(user_folder() / name, overwrite=overwrite, replaceable=BUNDLE_FILES)
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingPackageError(
            "Downloading models needs the package huggingface_hub, which is not installed: add it with: "
            'python -m pip install "huggingface_hub>=0.23"'
        )
    if pinned.needs_torch:
        require_torch("Importing torch files")
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".model-", dir=cache) as scratch:
            for path, digest in pinned.files.items():
                shutil.copyfile(_fetch(pinned, path, digest, cache, offline), Path(scratch) / PurePosixPath(path).name)
            return import_model(
                scratch,
                name,
                overwrite=overwrite,
                licence=pinned.licence,
                sensor=pinned.sensor,
                imported_from=f"{pinned.repo}@{pinned.revision}",
            )
    except OSError as error:
        if isinstance(error, FerdError):
            raise
        raise OutputError(
            f"Cannot write the download folder {cache} ({error.strerror or error}): check its permissions and free "
            "space, or name another with FERD_CACHE."
        ) from error


def _fetch(pinned: Pinned, path: str, digest: str, cache: Path, offline: bool) -> Path:
    """Return the file in the cache, fetched where it is not there yet."""
    # Unless this is set before it is loaded, huggingface_hub tells the hub which other packages are here.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub

    target = cache / digest
    if target.is_file():
        if _sha256(target) == digest:
            return target
        logger.warning("The cached file %s was damaged and is fetched again.", target)
        target.unlink()
    with tempfile.TemporaryDirectory(prefix=".file-", dir=cache) as scratch:
        found = huggingface_hub.try_to_load_from_cache(pinned.repo, path, revision=pinned.revision)
        if isinstance(found, str) and _sha256(Path(found)) == digest:
            copy = Path(shutil.copyfile(found, Path(scratch) / "file"))
        elif offline:
            raise ModelError(
                f"The file {path} of {pinned.repo} is not in the cache {cache}: run this once without --offline where "
                "there is a network."
            )
        else:
            copy = _download(pinned, path, Path(scratch))
            if _sha256(copy) != digest:
                raise ModelError(
                    f"The file {path} of {pinned.repo} is not the one that was expected (the sha256 differs), so it "
                    "was thrown away: check the checksum, the revision and the mirror in HF_ENDPOINT."
                )
        copy.replace(target)
    return target


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _download(pinned: Pinned, path: str, folder: Path) -> Path:
    """Fetch one file into a folder; raises one `FerdError` for each way in which that fails."""
    import huggingface_hub

    utils: Any = huggingface_hub.utils
    # The root of the HTTP library's own errors, requests' or httpx's as the release of huggingface_hub has it.
    network_error: Any = utils.HfHubHTTPError.__bases__[0]
    try:
        with _quiet():
            url = huggingface_hub.hf_hub_url(pinned.repo, path, revision=pinned.revision)
            size = huggingface_hub.get_hf_file_metadata(url).size
            if size is not None and size > MAX_ARCHIVE_BYTES:
                raise ModelError(
                    f"The file {path} of {pinned.repo} has {size >> 20} MiB: it is no FEN, and was not fetched."
                )
            return Path(huggingface_hub.hf_hub_download(pinned.repo, path, revision=pinned.revision, local_dir=folder))
    except FerdError:
        raise
    except (network_error, OSError, ValueError) as error:
        raise _explained(error, pinned, path) from error


def _explained(error: Any, pinned: Pinned, path: str) -> FerdError:
    """Return the engine's error for one of huggingface_hub's."""
    import huggingface_hub

    utils: Any = huggingface_hub.utils
    host = huggingface_hub.constants.ENDPOINT
    if isinstance(error, utils.OfflineModeIsEnabled):
        return ModelError(f"The file {path} of {pinned.repo} is not in the cache, and HF_HUB_OFFLINE forbids fetching.")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, utils.RepositoryNotFoundError) or status in (401, 403):
        return ModelError(
            f"There is no repository {pinned.repo} on {host}, or it is not open to you: check the name, or log in with "
            "huggingface_hub."
        )
    if isinstance(error, utils.RevisionNotFoundError):
        return ModelError(f"The repository {pinned.repo} on {host} has no revision {pinned.revision}: check it.")
    if status == 404 or (isinstance(error, utils.EntryNotFoundError) and not isinstance(error, FileNotFoundError)):
        return ModelError(
            f"The repository {pinned.repo} on {host} has no file {path} at the revision {pinned.revision[:12]}: check "
            "both."
        )
    if status is not None:
        return RunError(f"The hub {host} answered {status} for {path} of {pinned.repo}: try again later.")
    first_line = (str(error).strip().splitlines() or [""])[0][:160].rstrip(". ")
    return RunError(
        f"The file {path} could not be fetched whole from {host} ({type(error).__name__}: {first_line}): check the "
        "network, the proxy (HTTPS_PROXY) and the mirror (HF_ENDPOINT), and try again."
    )


class _Quietly(logging.Handler):
    """Passes huggingface_hub's messages on for those who debug; to others a failure is one sentence."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one message on."""
        logger.debug("huggingface_hub: %s", record.getMessage())


@contextmanager
def _quiet() -> Iterator[None]:
    """Take huggingface_hub's messages, which it would write to stderr itself."""
    before, propagated = _HUB_LOGGER.handlers[:], _HUB_LOGGER.propagate
    _HUB_LOGGER.handlers[:], _HUB_LOGGER.propagate = [_Quietly()], False
    try:
        yield
    finally:
        _HUB_LOGGER.handlers[:], _HUB_LOGGER.propagate = before, propagated

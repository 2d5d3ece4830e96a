"""The Hugging Face Hub as a place for shared programs, through its own client: ``pip install 'vlmcar[hub]'``.

Who is asking is the client's matter (``hf auth login``, or the environment variable ``HF_TOKEN``): no token is taken,
shown or written here. ``HF_ENDPOINT`` names another server. Tested against a stand-in on this machine that takes
small files as the Hub does; larger ones, which the client sends by LFS or Xet, and the Hub itself were not reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vlmcar
from vlmcar.share.reading import MAX_LIST, printable, read_manifest
from vlmcar.types import VlmcarError
from vlmcar.verification.store import SHARED

_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", re.ASCII)


def parse(address: str) -> tuple[str, str | None]:
    """``owner/name`` and the revision of ``hf://owner/name@revision``, if it has one.

    Raises:
        VlmcarError: it is no such address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise VlmcarError(
            f"{printable(address)} must be of the form hf://owner/name or hf://owner/name@revision"
        )
    return found[1], found[2]


def upload(folder: Path, address: str, private: bool) -> str:
    """Make the repository, unless it is there, and its content that of the folder; the address of the commit.

    Raises:
        VlmcarError: the Hub refused, or was not reached.
    """
    repo, revision = parse(address)
    if revision:
        raise VlmcarError(f"push to hf://{repo}: the Hub names the revision itself")
    with _client(f"hf://{repo}") as api:
        api.create_repo(repo, private=private or None, exist_ok=True)  # None: as its owner has set
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            commit_message="A reward program, shared by vlmcar",
            delete_patterns="*",  # of another program that was there
        )
    return f"hf://{repo}@{commit.oid}"


def download(address: str, folder: Path) -> str:
    """What the repository's ``shared.json`` lists, and nothing else, into a folder; the address of the commit.

    Sizes are looked at before anything but the list is downloaded.

    Raises:
        VlmcarError: the Hub refused, was not reached, or the repository holds no shared program.
    """
    repo, revision = parse(address)
    with _client(address) as api:
        info = api.repo_info(repo, revision=revision, files_metadata=True)
        sizes = {one.rfilename: one.size for one in info.siblings or ()}
        if not 0 < (sizes.get(SHARED) or 0) <= MAX_LIST:
            raise VlmcarError(f"{address} holds no shared program: there is no {SHARED} in it")
        api.hf_hub_download(repo, SHARED, revision=info.sha, local_dir=folder)
        listed = _listed(address, folder)
        for name, size in listed.items():
            if sizes.get(name) != size:
                raise VlmcarError(f"{address}: {name} has not the size that {SHARED} lists")
        api.snapshot_download(repo, revision=info.sha, allow_patterns=[SHARED, *listed], local_dir=folder)
    return f"hf://{repo}@{info.sha}"


def _listed(address: str, folder: Path) -> dict[str, int]:
    try:
        return {name: file.bytes for name, file in read_manifest(folder).files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VlmcarError(f"{address}: {SHARED} cannot be read: {printable(str(error))}") from None


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """huggingface_hub's, whose errors become a line."""
    try:
        from httpx import HTTPError
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        raise VlmcarError(f"{address} needs the Hub's client: pip install 'vlmcar[hub]'") from None
    try:
        yield HfApi(library_name="vlmcar", library_version=vlmcar.__version__)
    except (HTTPError, OSError, HFValidationError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        advice = "; `hf auth login`, or HF_TOKEN, says who you are" if status in (401, 403, 404) else ""
        reason = printable(" ".join(str(error).split()) or type(error).__name__, 300)
        raise VlmcarError(f"{address}: {reason}{advice}") from None

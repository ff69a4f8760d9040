"""Files in S3: those that an address names, copied to a folder while they are read.

Each object is fetched once, in the state in which it was listed. Credentials, region and endpoint
are those that every client of Amazon's finds: AWS_ACCESS_KEY_ID or a profile, AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.credentials.endpoints import refuse_endpoints
from onnxpress.credentials.sources import remember
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.files import TEMPORARY, remove_unfinished
from onnxpress.tables.folders import MAGIC, files_in
from onnxpress.text import shortened

S3 = "s3://"
ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^?#@\0\\]*)")
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 60, 3
AT_ONCE = 2**20
"""Bytes that are copied at a time."""

DENIED = {
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
CHANGED = {"404", "412", "NoSuchKey", "PreconditionFailed"}


@dataclass(frozen=True)
class StoredObject:
    """An object as it was listed."""

    key: str
    size: int
    tag: str


class Bucket:
    """The objects that an address in S3 names: one, a folder of them, or a glob."""

    def __init__(self, address: str) -> None:
        """List them.

        Raises:
            UserError: it is no address, or there are none.
            ServerError: S3 does not answer, or refuses.
        """
        found = ADDRESS.fullmatch(address)
        if found is None:
            raise UserError(
                "an address in S3 should be s3://bucket/folder, s3://bucket/folder/*.parquet or "
                "s3://bucket/file.parquet, without a login or a query; correct it"
            )
        self.address, (self.name, self.pattern) = address, found.groups()
        refuse_endpoints()
        with self._answers():
            self.client = client_of_s3()
            self.objects = self._listed()
        if not self.objects:
            raise UserError(f"{address} names no object; correct the address")

    def _listed(self) -> list[StoredObject]:
        """Return the objects below the first part with a wildcard, or of a folder, or the one."""
        parts = self.pattern.split("/")
        fixed = next((at for at, part in enumerate(parts) if set(part) & set(MAGIC)), None)
        prefix = self.pattern.rstrip("/") if fixed is None else "/".join(parts[:fixed])
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        found = [
            StoredObject(each["Key"], each["Size"], each["ETag"])
            for page in pages
            for each in page.get("Contents", [])
            if not each["Key"].endswith("/")
            and (not prefix or each["Key"] == prefix or each["Key"].startswith(f"{prefix}/"))
        ]
        return [each for each in found if each.key == self.pattern] or found

    def lay_out(self, folder: Path) -> tuple[str, dict[Path, StoredObject]]:
        """Make an empty file in a folder for each object.

        Returns the path that names there what the address does, and the files that it names, by
        the rules for files.

        Raises:
            UserError: a key is no path, or the folder cannot be written to.
        """
        files = {folder / each.key: each for each in self.objects}
        with self._writing():
            try:
                for path, stored in files.items():
                    _refuse_odd(stored.key)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch(exist_ok=False)
            except (FileExistsError, NotADirectoryError) as error:
                raise UserError(
                    f"{self.address} has an object below another, {shortened(repr(stored.key))}, "
                    "which no folder can; rename one"
                ) from error
        place = folder / self.pattern
        named = [place] if place.is_file() else files_in(str(place))[1]
        return str(place), {path: files[path] for path in named}

    def copy(self, folder: Path) -> str:
        """Copy what the address names into a folder, and return the path that names it there.

        The files of other objects are empty.

        Raises:
            UserError: a key is no path, or the disk is full.
            ServerError: S3 does not answer, or refuses; or an object changes meanwhile.
        """
        place, named = self.lay_out(folder)
        for path, stored in named.items():
            self.fetch(stored, path)
        return place

    def fetch(self, stored: StoredObject, path: Path) -> None:
        """Copy an object, as it was listed, to a file.

        Raises:
            UserError: the disk is full.
            ServerError: S3 does not answer, or refuses; or the object has changed.
        """
        with self._writing(), self._answers(f"/{stored.key}"), path.open("wb") as file:
            answer = self.client.get_object(Bucket=self.name, Key=stored.key, IfMatch=stored.tag)
            for part in answer["Body"].iter_chunks(AT_ONCE):
                file.write(part)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say in one line that the disk cannot be written to.

        Raises:
            UserError: it cannot.
        """
        try:
            yield
        except OSError as error:
            raise UserError(
                f"cannot copy {self.address} to the disk ({error.strerror or error}); "
                "free or unlock it and run again"
            ) from error

    @contextmanager
    def _answers(self, key: str = "") -> Iterator[None]:
        """Say in one line that S3 does not answer, or refuses.

        Raises:
            ServerError: it does.
        """
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        from urllib3.exceptions import HTTPError

        what = f"{S3}{self.name}{shortened(key)}" if key else shortened(self.address)
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise ServerError(f"{what}: {_refusal(code)}") from None
        except NoCredentialsError:
            raise ServerError(
                f"{what}: this machine has no S3 credentials; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            ) from None
        except (BotoCoreError, HTTPError, ValueError) as error:
            raise ServerError(
                f"{what}: S3 does not answer ({type(error).__name__}); check AWS_ENDPOINT_URL and "
                "the network, and run again"
            ) from None


def _refusal(code: str) -> str:
    if code == "NoSuchBucket":
        return "there is no such bucket; correct the name"
    if code in CHANGED:
        return "the object changed or was removed while it was copied; run again"
    if code in DENIED:
        return f"S3 refuses ({code}); check the credentials and what they may read"
    return f"S3 refuses ({code}); check the address"


def _refuse_odd(key: str) -> None:
    """See that a key is a path below a folder.

    Raises:
        UserError: it is not.
    """
    if {"", ".", ".."} & set(key.split("/")) or "\0" in key:
        raise UserError(f"the key {shortened(repr(key))} is no path of a file; rename the object")


def client_of_s3() -> Any:
    """Return a client with the credentials and the endpoint of the environment."""
    import botocore.session
    from botocore.config import Config

    session = botocore.session.get_session()
    if (credentials := session.get_credentials()) is not None:
        frozen = credentials.get_frozen_credentials()
        remember(frozen.access_key, frozen.secret_key, frozen.token)
    attempts: Any = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
    limits = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=attempts)
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
    return session.create_client("s3", region_name=region, config=limits)


@contextmanager
def _folder_of(bucket: Bucket, beside: Path) -> Iterator[tuple[Path, Callable[[str], str]]]:
    """Yield a folder in the folder ``beside``, and what writes its lines with addresses.

    It is gone after the block; what a killed process leaves is removed when the next one is made.

    Raises:
        UserError: the block raises one, which then names objects.
    """
    beside.mkdir(parents=True, exist_ok=True)
    remove_unfinished(beside)
    folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{os.getpid()}-s3-", dir=beside))

    def addressed(line: str) -> str:
        return line.replace(str(folder), f"{S3}{bucket.name}")

    try:
        yield folder, addressed
    except UserError as error:
        raise type(error)(addressed(str(error))) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def copy_of_objects(address: str, beside: Path) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Yield the path of a copy in the folder ``beside``, and what writes its lines with addresses.

    Raises:
        UserError: as :class:`Bucket`, or the block raises one, which then names objects.
        ServerError: S3 does not answer, or refuses.
    """
    bucket = Bucket(address)
    with _folder_of(bucket, beside) as (folder, addressed):
        yield bucket.copy(folder), addressed


@dataclass(frozen=True)
class Objects:
    """Objects as files of a folder, each of which has its content only while it is read."""

    bucket: Bucket
    table: str
    """The path that names them."""
    files: dict[Path, StoredObject]

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Have the content of a file in the block.

        Raises:
            UserError: the disk is full.
            ServerError: S3 does not answer, or refuses; or the object has changed.
        """
        try:
            self.bucket.fetch(self.files[path], path)
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def objects_one_by_one(address: str, beside: Path) -> Iterator[Objects]:
    """Yield what an address names, as files in the folder ``beside``, of which few have content.

    Raises:
        UserError: as :class:`Bucket`, or the block raises one, which then names objects.
        ServerError: S3 does not answer, or refuses.
    """
    bucket = Bucket(address)
    with _folder_of(bucket, beside) as (folder, _):
        yield Objects(bucket, *bucket.lay_out(folder))

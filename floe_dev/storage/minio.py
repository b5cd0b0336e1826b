"""MinIO, and what else speaks S3 with STS AssumeRole: objects, vended keys, and the set-up of bucket and user."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from floe_dev.storage.base import StoreCredential
from floe_dev.storage.policy import bucket_policy, prefix_policy, split

if TYPE_CHECKING:
    from minio import Minio

#: Any name does for MinIO. Without one, clients ask for the bucket's location, which a prefix's policy denies.
REGION = "us-east-1"

T = TypeVar("T")


class MinioStorage:
    """One MinIO as one user; `endpoint` is its URL as this process reaches it."""

    def __init__(self, endpoint: str, credential: StoreCredential, region: str = REGION) -> None:
        """Nothing is asked of the store yet."""
        from minio import Minio

        self.endpoint = endpoint
        self.region = region
        self._credential = credential
        parts = urlsplit(endpoint)
        self._client: Minio = Minio(
            endpoint=parts.netloc,
            access_key=credential.access_key,
            secret_key=credential.secret_key,
            session_token=credential.session_token,
            secure=parts.scheme == "https",
            region=region,
        )

    def read(self, location: str) -> bytes:
        """An object's bytes; FileNotFoundError if there is none, OSError where the store does not answer."""
        bucket, key = split(location)

        def get() -> bytes:
            response = self._client.get_object(bucket_name=bucket, object_name=key)
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

        return _asked(get)

    def size(self, location: str) -> int | None:
        """An object's size in bytes, None if there is none."""
        bucket, key = split(location)
        try:
            return _asked(lambda: self._client.stat_object(bucket_name=bucket, object_name=key).size)
        except FileNotFoundError:
            return None

    def write(self, location: str, content: bytes) -> None:
        """Put a whole object."""
        bucket, key = split(location)
        _asked(
            lambda: self._client.put_object(
                bucket_name=bucket, object_name=key, data=io.BytesIO(content), length=len(content)
            )
        )

    def remove(self, location: str) -> None:
        """Delete an object; one that is not there is no error."""
        bucket, key = split(location)
        _asked(lambda: self._client.remove_object(bucket_name=bucket, object_name=key))

    def occupied(self, location: str) -> bool:
        """Whether any object lies below `location`."""
        bucket, key = split(location)
        return _asked(
            lambda: any(True for _ in self._client.list_objects(bucket_name=bucket, prefix=f"{key}/", recursive=True))
        )

    def purge(self, location: str) -> None:
        """Delete every object below `location`."""
        from minio.deleteobjects import DeleteObject

        bucket, key = split(location)

        def delete() -> list[str]:
            found = self._client.list_objects(bucket_name=bucket, prefix=f"{key}/", recursive=True)
            doomed = [DeleteObject(entry.object_name) for entry in found if entry.object_name]
            return [str(e.message) for e in self._client.remove_objects(bucket_name=bucket, delete_object_list=doomed)]

        errors = _asked(delete)
        if errors:
            raise OSError(0, f"{len(errors)} objects below {location} stay: {errors[0]}")

    def vend(
        self, locations: Sequence[str], *, write: bool, seconds: int, also_read: Sequence[str] = ()
    ) -> StoreCredential:
        """Keys for the objects below `locations` and `also_read` alone (STS AssumeRole with an inline policy)."""
        from minio.credentials.providers import AssumeRoleProvider

        provider = AssumeRoleProvider(
            sts_endpoint=self.endpoint,
            access_key=self._credential.access_key,
            secret_key=self._credential.secret_key,
            duration_seconds=seconds,
            policy=json.dumps(prefix_policy(locations, write=write, also_read=also_read), separators=(",", ":")),
            region=self.region,
        )
        asked_at = time.time()
        keys = _asked(provider.retrieve)
        return StoreCredential(keys.access_key, keys.secret_key, keys.session_token, asked_at + seconds)


def is_set_up(endpoint: str, bucket: str, user: StoreCredential) -> bool:
    """Whether the bucket is there and the user, with this secret, may list it; False too where the store refuses."""
    from floe_dev.drivers.wire import FromHere, Request
    from floe_dev.storage.signed import signed_url

    look = {"list-type": "2", "max-keys": "1"}
    try:
        answer = FromHere().ask(Request("GET", signed_url("GET", endpoint, REGION, user, bucket, query=look)))
    except OSError:
        return False
    return answer.status == 200


def set_up(endpoint: str, root: StoreCredential, bucket: str, user: StoreCredential) -> list[str]:
    """Make the bucket, and a user that can do everything in it and nothing elsewhere; returns what was made.

    What is there stays; the user's secret and policy are brought in line. Raises OSError.
    """
    from minio import Minio, MinioAdmin
    from minio.credentials.providers import StaticProvider

    parts = urlsplit(endpoint)
    secure = parts.scheme == "https"
    client = Minio(
        endpoint=parts.netloc, access_key=root.access_key, secret_key=root.secret_key, secure=secure, region=REGION
    )
    admin = MinioAdmin(
        endpoint=parts.netloc,
        credentials=StaticProvider(access_key=root.access_key, secret_key=root.secret_key),
        region=REGION,
        secure=secure,
    )
    made: list[str] = []
    if not _asked(lambda: client.bucket_exists(bucket_name=bucket)):
        _asked(lambda: client.make_bucket(bucket_name=bucket))
        made.append(f"bucket {bucket}")
    users = json.loads(_asked(admin.user_list))
    if user.access_key not in users:
        made.append(f"user {user.access_key}")
    _asked(lambda: admin.user_add(access_key=user.access_key, secret_key=user.secret_key))
    policy = f"floe-{bucket}"
    _asked(lambda: admin.policy_add(policy_name=policy, policy=bucket_policy(bucket)))
    attached = json.loads(_asked(admin.user_list)).get(user.access_key, {}).get("policyName", "")
    if policy not in attached.split(","):
        _asked(lambda: admin.attach_policy(policies=[policy], user=user.access_key))
        made.append(f"policy {policy}")
    return made


def _asked(call: Callable[[], T]) -> T:
    """The SDK's and urllib3's many exceptions as OSError."""
    from minio.error import MinioAdminException, MinioException, S3Error
    from urllib3.exceptions import HTTPError

    try:
        return call()
    except S3Error as error:
        if error.code in {"NoSuchKey", "NoSuchBucket"}:
            raise FileNotFoundError(2, f"{error.code}: {error.message}") from error
        raise OSError(0, f"{error.code}: {error.message}") from error
    except (MinioException, MinioAdminException, HTTPError, ValueError) as error:
        raise OSError(0, str(error)) from error

"""S3 policies that hold a key to some prefixes of a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_READ = ["s3:GetObject"]
_WRITE = [*_READ, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


def split(location: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` location; ValueError for another scheme."""
    scheme, _, rest = location.partition("://")
    if scheme not in {"s3", "s3a"}:
        raise ValueError(f"not an S3 location: {location}")
    bucket, _, key = rest.partition("/")
    return bucket, key


def prefix_policy(locations: Sequence[str], *, write: bool, also_read: Sequence[str] = ()) -> dict[str, Any]:
    """Read, or read and write, what lies below the locations, and read below others; list nothing else."""
    places, others = _split_all(locations), _split_all(also_read)
    statements = [_below(places, _WRITE if write else _READ), *([_below(others, _READ)] if others else [])]
    for bucket, key in (*places, *others):
        statements.append(
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}"],
                "Condition": {"StringLike": {"s3:prefix": [key, f"{key}/*"]}},
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def _split_all(locations: Sequence[str]) -> list[tuple[str, str]]:
    return [split(location.rstrip("/")) for location in locations]


def _below(places: Sequence[tuple[str, str]], actions: Sequence[str]) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{bucket}/{key}/*" for bucket, key in places]
    return {"Effect": "Allow", "Action": list(actions), "Resource": resources}


def bucket_policy(bucket: str) -> dict[str, Any]:
    """Everything in one bucket, and nothing beside it."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:*"],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }

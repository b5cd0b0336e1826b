"""A Debian root file system from this machine's apt, made without root: what `docker import` takes.

apt chooses and verifies the packages by its own configuration (mirror, proxy, keys) in folders of its own, and their
files are joined into one archive here. What has to run as root, the packages' own scripts, runs in a container.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from floe_dev.errors import Code, FloeError

SUITE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Beside what Debian calls essential: apt for the images on top, certificates, and /bin as part of /usr.
PACKAGES = ("?essential", "apt", "ca-certificates", "debian-archive-keyring", "usr-is-merged")
#: Where the archive keeps the packages for the container that sets them up.
PACKAGES_FOLDER = "floe-packages"
#: Not worth their size in a container; Debian's own slim images leave the same out.
_LEFT_OUT = ("usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/")
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_FIX = "load the images from a Debian machine: floe images save there, floe images load FILE here"

_APT = """
Dir::Etc "{folder}/etc";
Dir::Etc::sourcelist "{folder}/etc/sources.list";
Dir::Etc::sourceparts "{folder}/etc/sources.list.d";
Dir::Etc::parts "{folder}/etc/apt.conf.d";
Dir::Etc::preferencesparts "{folder}/etc/preferences.d";
Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
Acquire::Languages "none";
"""


@dataclass(frozen=True)
class Source:
    """One line of an apt source list."""

    uri: str
    release: str

    def __str__(self) -> str:
        return f"deb [signed-by={KEYRING}] {self.uri} {self.release} main"


def sources() -> list[Source]:
    """Where this machine's apt has Debian from, for our suite; raises FloeError 2306 on another kind of machine."""
    if shutil.which("apt-get") is None or not KEYRING.is_file():
        raise FloeError(
            Code.IMAGE_NOT_BUILT,
            "the base image is made from Debian's packages, and this is no Debian machine",
            why="there is no apt-get here, or no Debian archive keyring",
            fix=_FIX,
        )
    asked = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(ORIGIN)"
    listed = _apt(["indextargets", "--format", asked, "Created-By: Packages"])
    found = []
    for line in listed.splitlines():
        uri, release, codename, component, origin = line.split("|")
        host = codename.removesuffix("-updates").removesuffix("-security").removesuffix("-backports")
        if (origin, component) == ("Debian", "main") and "backports" not in codename:
            found.append(Source(uri, release.replace(host, SUITE) if host in release else SUITE))
    if not found:
        raise FloeError(
            Code.IMAGE_NOT_BUILT,
            "the base image is made from Debian's packages, and apt knows none",
            why="apt has no package list of Debian's main archive",
            fix="sudo apt-get update",
        )
    return list(dict.fromkeys(found))


def make_archive(folder: Path, architecture: str, archive: Path) -> None:
    """Download the packages into `folder` and join them into the tar file `archive`, themselves included.

    Raises FloeError 2306 with apt's words, OSError.
    """
    known = sources()
    for name in ("lists/partial", "archives/partial", "etc/sources.list.d", "etc/preferences.d", "etc/apt.conf.d"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    source_list = "".join(f"{source}\n" for source in known)
    (folder / "etc" / "sources.list").write_text(source_list, encoding="utf-8")
    # The machine's own settings (a proxy, certificates) before ours, which say where everything lies.
    machine = _apt_configuration()
    (folder / "apt.conf").write_text(machine + _APT.format(folder=folder, architecture=architecture), encoding="utf-8")
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    _apt(["-q", "update"], environment)
    _apt(["-q", "-y", "--download-only", "install", *PACKAGES], environment)
    with tarfile.open(archive, "w") as joined:
        _join(joined, sorted((folder / "archives").glob("*.deb")))
        for name in ("etc/apt/sources.list",):
            _add(joined, name, source_list.encode())


def _apt_configuration() -> str:
    """How this machine's apt reaches its archive."""
    shown = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return "".join(f"{line}\n" for line in shown.splitlines() if line.startswith(("Acquire::http", "Acquire::Retries")))


def _join(joined: tarfile.TarFile, packages: list[Path]) -> None:
    for name in _MERGED:
        link = tarfile.TarInfo(name)
        link.type, link.linkname, link.mode = tarfile.SYMTYPE, f"usr/{name}", 0o777
        joined.addfile(link)
    seen: set[str] = set()
    for package in packages:
        for entry, content in _files(package):
            if entry.name in seen and entry.isdir():
                continue
            seen.add(entry.name)
            joined.addfile(entry, content)
    for package in packages:
        entry = joined.gettarinfo(package, f"{PACKAGES_FOLDER}/{package.name}")
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        with package.open("rb") as content:
            joined.addfile(entry, content)


def _files(package: Path) -> Iterator[tuple[tarfile.TarInfo, io.BufferedIOBase | None]]:
    """The files of a package as they go into the archive, with /bin and the like inside /usr."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpacking:
        assert unpacking.stdout is not None
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as content:
            for entry in content:
                entry.name = _merged(entry.name.removeprefix("./"))
                if entry.islnk():
                    entry.linkname = _merged(entry.linkname.removeprefix("./"))
                if entry.name in ("", ".") or f"{entry.name}/".startswith(_LEFT_OUT):
                    continue
                file = content.extractfile(entry) if entry.isreg() else None
                yield entry, file  # type: ignore[misc]
        unpacking.stdout.read()
    if unpacking.returncode != 0:
        raise OSError(0, f"dpkg-deb does not read {package.name}")


def _merged(name: str) -> str:
    return f"usr/{name}" if name.split("/", 1)[0] in _MERGED else name


def _add(joined: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    joined.addfile(entry, io.BytesIO(content))


def _apt(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(["apt-get", *arguments], capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise FloeError(
            Code.IMAGE_NOT_BUILT,
            "apt does not get the packages of the base image",
            why=f"`apt-get {arguments[-1] if len(arguments) == 1 else arguments[1]}` ended with {done.returncode}",
            detail=tuple(done.stderr.splitlines()[-10:]),
            fix="look at apt's message above; it uses this machine's package sources",
        )
    return done.stdout

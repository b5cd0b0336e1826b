"""What the engine and the registries say when they refuse, in plain words and with the command that mends it.

Engines send their refusals as text only. The phrases are those of Docker 20 to 28 and of Podman 4 and 5.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from floe_dev.errors import Code, FloeError

#: What the names of images begin with that are made here and published nowhere.
OWN_IMAGES = "floe/"


@dataclass(frozen=True)
class _Rule:
    phrases: tuple[str, ...]
    why: str
    fix: str
    code: Code = Code.IMAGE_MISSING


_PULL = (
    _Rule(
        ("toomanyrequests", "too many requests", "rate limit"),
        "the registry lets nobody pull that often without an account",
        "docker login, or wait an hour; then: docker pull {image}",
    ),
    _Rule(
        ("no space left on device", "disk quota exceeded", "not enough free space"),
        "the disk of the engine is full",
        "docker system df, then docker image prune; then: docker pull {image}",
        Code.DISK_FULL,
    ),
    _Rule(
        ("no matching manifest for", "does not match the specified platform", "no image found in image index for"),
        "it is not published for the processor of this engine",
        "name another image: FLOE_IMAGE_{variable}=…",
        Code.IMAGE_ARCHITECTURE,
    ),
    _Rule(
        ("pull access denied", "repository does not exist", "name unknown", "name invalid"),
        "the registry has no such image (it may be gone), or shows it only to who is logged in",
        "docker login {registry}, or name another image: FLOE_IMAGE_{variable}=…",
    ),
    _Rule(
        (
            "no basic auth credentials",
            "unauthorized",
            "authentication required",
            "denied: requested access",
            "forbidden",
            "403",
            "denied",
        ),
        "the registry wants a login",
        "docker login {registry}; then: docker pull {image}",
    ),
    _Rule(
        ("manifest unknown", "manifest for", "not found"),
        "the registry has no such version of it: it is gone",
        "name another image: FLOE_IMAGE_{variable}=…, or take a file: floe images load FILE",
    ),
    _Rule(
        (
            "no such host",
            "i/o timeout",
            "network is unreachable",
            "connection refused",
            "tls handshake timeout",
            "client.timeout",
            "connection reset",
            "temporary failure in name resolution",
            "server misbehaving",
            "no route to host",
            "eof",
        ),
        "the registry cannot be reached: no network, or a proxy that the engine does not know",
        "mend the network and run: docker pull {image}, or take a file: floe images load FILE",
    ),
)


def pull_refused(image: str, text: str, service: str = "") -> FloeError:
    """Why `image` was not pulled: gone, no network, not logged in, rate limit, disk full, other processor."""
    lowered = text.lower()
    first = image.split("/", 1)[0]
    values = {
        "image": image,
        "variable": (service or "SERVICE").upper().replace("-", "_"),
        "registry": first if "/" in image and ("." in first or ":" in first) else "",
    }
    for rule in _PULL:
        if any(phrase in lowered for phrase in rule.phrases):
            return FloeError(
                rule.code,
                f"the image `{image}` could not be pulled",
                why=rule.why,
                detail=(text.strip(),),
                fix=rule.fix.format(**values).replace("login ;", "login;").replace("login ,", "login,"),
            )
    return FloeError(
        Code.IMAGE_MISSING,
        f"the image `{image}` could not be pulled",
        why="the engine's own words are below",
        detail=(text.strip(),),
        fix=f"docker pull {image}",
    )


def image_missing(image: str, service: str) -> FloeError:
    """An image that is not here and was not asked for anywhere."""
    own = image.startswith(OWN_IMAGES)
    where = "it is published nowhere: floe builds it" if own else "nothing was pulled"
    return FloeError(
        Code.IMAGE_MISSING,
        f"the image `{image}` is not on this machine",
        why=f"the service `{service}` runs in it, and {where}",
        fix="floe images build" if own else f"docker pull {image}",
    )


def mount_missing(service: str, path: str) -> FloeError:
    """A path of this machine that a container is to see and that is not here: the engine would make a folder of it."""
    return FloeError(
        Code.INVALID_VALUE,
        f"the service `{service}` mounts `{path}`, which is not there",
        why="a relative path counts from the stack file's folder; the engine would put an empty folder of root's there",
        fix=f"mkdir -p {shlex.quote(path)}, or correct `volumes` of the service",
    )


def wrong_architecture(image: str, service: str, has: str, wanted: str) -> FloeError:
    """An image whose programs this engine's processor cannot run."""
    own = image.startswith(OWN_IMAGES)
    return FloeError(
        Code.IMAGE_ARCHITECTURE,
        f"the image `{image}` is for {has}, and the engine runs {wanted}",
        why=f"the service `{service}` would end with `exec format error`",
        fix="floe images build --anew" if own else f"docker pull --platform linux/{wanted} {image}",
    )


def start_refused(service: str, name: str, image: str, text: str) -> FloeError:
    """Why the engine did not start a container."""
    lowered = text.lower()
    if "port is already allocated" in lowered or "address already in use" in lowered:
        found = re.search(r"127\.0\.0\.1:(\d+)", text)
        port = found[1] if found else "?"
        return FloeError(
            Code.PORT_TAKEN,
            f"port {port} was taken before `{service}` could listen on it",
            why=text.strip(),
            fix="floe up (another port is taken, remembered and told)",
        )
    if "no space left on device" in lowered:
        return FloeError(
            Code.DISK_FULL,
            f"`{service}` cannot be started: the disk of the engine is full",
            why=text.strip(),
            fix="docker system df, then docker image prune; then floe up",
        )
    if "is already in use by container" in lowered or "name is already in use" in lowered:
        return FloeError(
            Code.NAME_CLASH,
            f"there is a container `{name}` already, and it is not floe's",
            why=text.strip(),
            fix=f"docker rename {name} {name}-old",
        )
    if "exec format error" in lowered:
        return FloeError(
            Code.IMAGE_ARCHITECTURE,
            f"the image `{image}` of `{service}` is for another processor",
            why=text.strip(),
            fix="floe images build --anew" if image.startswith(OWN_IMAGES) else f"docker rmi {image}; floe up",
        )
    if "mounts denied" in lowered or ("bind source path does not exist" in lowered):
        return FloeError(
            Code.ENGINE_REFUSED,
            f"`{service}` mounts a path that the engine does not see",
            why=text.strip(),
            fix="correct `volumes` in the stack file, or share the folder with the engine's machine",
        )
    return FloeError(Code.ENGINE_REFUSED, f"the engine does not start `{service}`", why=text.strip(), fix="floe doctor")


def network_refused(name: str, text: str) -> FloeError:
    """Why the engine did not make a project's network."""
    if "non-overlapping" in text or "address pool" in text:
        return FloeError(
            Code.ENGINE_REFUSED,
            "the engine has no addresses left for another network",
            why=f"{text.strip()}; every network takes a range, and unused ones keep theirs",
            fix="docker network prune",
        )
    return FloeError(
        Code.ENGINE_REFUSED, f"the engine does not make the network `{name}`", why=text.strip(), fix="floe doctor"
    )


def network_clash(name: str) -> FloeError:
    """A network of our name that somebody else made."""
    return FloeError(
        Code.NAME_CLASH,
        f"there is a network `{name}` already, and it is not floe's",
        why="it does not carry floe's label, so it is left alone, and the engine cannot tell two of one name apart",
        fix=f"docker network rm {name}",
    )

"""Pull the images of `lakehouse` before a project's first start, with a key that starts the embedded stack instead."""

from __future__ import annotations

import contextlib
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterable, Iterator

from floe_dev.cli.output import Output
from floe_dev.errors import FloeError
from floe_dev.supervisor.choice import FULL, PLAIN, StackChoice

#: The key that stops waiting.
KEY = "e"
_TICK_SECONDS = 0.2


def offer(output: Output, choice: StackChoice, images: Callable[[str], int | None]) -> StackChoice:
    """Pull what is missing, showing how far it is; the stack that is started then.

    `images` tells an image's approximate download in bytes, where that is known. A pull that is refused is told, and
    the choice stays what it was.
    """
    known = [size for size in (images(image) for image in choice.to_pull) if size]
    size = f", about {sum(known) / 1e6:.0f} MB" if known else ""
    names = ", ".join(choice.to_pull)
    output.say(f"`{FULL}` needs {len(choice.to_pull)} more images{size}: {names}")
    output.say(f"pulling them; press {KEY} to start `{PLAIN}` now instead")
    try:
        pulled = _pull_all(choice.to_pull)
    except FloeError as error:
        output.say(f"{error.what}: {error.why}")
        return choice
    if not pulled:
        return StackChoice(PLAIN, f"you pressed {KEY}", to_pull=choice.to_pull)
    return StackChoice(FULL, "an engine answers and every image is here now")


def pull_plainly(output: Output, images: Iterable[str]) -> None:
    """Pull what is not here, one after another, a line for each whole tenth; raises the first FloeError."""
    from floe_dev.drivers.docker import has_image
    from floe_dev.drivers.engine import connect
    from floe_dev.drivers.pull import PullState, pull
    from floe_dev.drivers.refusals import OWN_IMAGES

    client = connect()
    for image in dict.fromkeys(images):
        if has_image(client, image):
            output.say(f"{image} is here")
            continue
        if image.startswith(OWN_IMAGES):
            output.say(f"{image} is published nowhere: floe images build")
            continue
        told = [-1]

        def tell(state: PullState, told: list[int] = told) -> None:
            tenth = 10 * state.bytes_done // state.bytes_total if state.bytes_total else 0
            if tenth > told[0]:
                told[0] = tenth
                output.say(f"{state.image}: {state.text()}")

        pull(client, image, tell)
        output.say(f"pulled {image}")


def _pull_all(images: tuple[str, ...]) -> bool:
    """Pull them at once; False where the key was pressed first. Raises the first FloeError."""
    from floe_dev.drivers.engine import connect
    from floe_dev.drivers.pull import PullState, pull, together

    states = {image: PullState(image) for image in images}
    errors: list[FloeError] = []

    def run(image: str) -> None:
        try:
            pull(connect(), image, lambda state: states.__setitem__(image, state))
        except FloeError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(image,), daemon=True) for image in images]
    for thread in threads:
        thread.start()
    shown = ""
    with _single_keys() as pressed:
        while any(thread.is_alive() for thread in threads):
            if pressed(_TICK_SECONDS) == KEY:
                sys.stderr.write("\n")
                return False
            line = together(list(states.values()))
            if line != shown:
                shown = line
                sys.stderr.write(f"\r\x1b[K{line}")
                sys.stderr.flush()
    sys.stderr.write("\n")
    if errors:
        raise errors[0]
    return True


@contextlib.contextmanager
def _single_keys() -> Iterator[Callable[[float], str]]:
    """Keys without Enter: the answer waits up to so many seconds for one; the terminal is as before afterwards."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield lambda seconds: sys.stdin.read(1) if select.select([descriptor], [], [], seconds)[0] else ""
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

"""A service for tests: answers HTTP on the port given, marked as ours, and behaves as its options say."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--instance", default="")
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--exit-after", type=float)
    parser.add_argument("--stubborn", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--family", action="store_true", help="have a grandchild in a session of its own")
    options = parser.parse_args()
    sys.stdout.write(f"starting {os.environ.get('SERVICE')}\n")
    sys.stdout.flush()
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.family:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    time.sleep(options.delay)

    #: Until when (monotonic) no answer is given.
    hung: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            while hung and time.monotonic() < hung[-1]:
                time.sleep(0.01)
            self.send_response(200)
            self.send_header("X-Floe-Instance", options.instance)
            self.end_headers()
            self.wfile.write(f"{os.getpid()}".encode())
            if self.path == "/exit":
                os._exit(3)
            if self.path.startswith("/hang/"):
                hung.append(time.monotonic() + float(self.path.rpartition("/")[2]))

    if options.exit_after is not None:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(9))
        signal.setitimer(signal.ITIMER_REAL, options.exit_after)
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()

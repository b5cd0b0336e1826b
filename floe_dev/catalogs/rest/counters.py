"""What `/q/metrics` says of the worker that answers: requests by method and status, in Prometheus's text format."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

_STARTED = time.time()


class Counters:
    """Counts requests; shared by the threads of one worker."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds = 0.0

    def add(self, method: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        with self._lock:
            self._requests[method, status] += 1
            self._seconds += seconds

    def text(self) -> str:
        """All of them, as Prometheus reads it."""
        worker = f'worker="{os.getpid()}"'
        with self._lock:
            counted, seconds = sorted(self._requests.items()), self._seconds
        lines = [
            "# HELP floe_catalog_requests_total Requests answered.",
            "# TYPE floe_catalog_requests_total counter",
            *(
                f'floe_catalog_requests_total{{method="{method}",status="{status}",{worker}}} {count}'
                for (method, status), count in counted
            ),
            "# HELP floe_catalog_request_seconds_total Time spent on them.",
            "# TYPE floe_catalog_request_seconds_total counter",
            f"floe_catalog_request_seconds_total{{{worker}}} {seconds:.6f}",
            "# HELP process_start_time_seconds When the worker started.",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds{{{worker}}} {_STARTED:.3f}",
        ]
        return "\n".join(lines) + "\n"

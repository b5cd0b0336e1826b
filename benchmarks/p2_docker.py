"""P2: the Docker stack's time to ready, against its slowest service alone and against the same steps one after another.

The peers do exactly what `floe up` does (same containers, same provisioning, same readiness checks), as plain scripts
(benchmarks/p2_sequence.py). One after another: each part begins when the one before it is ready, in the order of a
Compose file. Alone: what a service needs is ready and idle, then it is created and started; counted is the time from
its start until it is ready. Both start from nothing running, as `floe up` does. Warm: the volumes are there. Also
`floe down`, an `up` of what runs, and P5's operations on the catalog in its container.
Run as `python -m benchmarks.p2_docker`; it needs an engine and the images of `lakehouse-lite`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks import p5_catalog
from benchmarks.stacks import BIN, copy_sample, floe, seconds_of, stack_environment

STACK = "lakehouse-lite"


def run(rounds: int = 3, operations: int = 40) -> dict[str, Any]:
    """Medians over interleaved rounds, in seconds, with their ratios; goals 1.1 (alone), 0.6 (in order), 3 s (down)."""
    if missing := _missing():
        return {"skipped": missing}
    ours: list[float] = []
    peer: list[float] = []
    downs: list[float] = []
    slowest: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        root = copy_sample(Path(folder) / "shop")
        try:
            cold = seconds_of(root, "up", "--stack", STACK, "--no-run")
            again = seconds_of(root, "up", "--no-run")
            services = _services(root)
            catalog = _catalog(root, operations)
            downs.append(seconds_of(root, "down"))
            alone = {name: _script(root, name)[1] for name in services}
            name = max(alone, key=lambda each: alone[each])
            slowest.append(alone[name])
            for number in range(rounds):
                peer.append(_script(root)[0])
                ours.append(seconds_of(root, "up", "--no-run"))
                downs.append(seconds_of(root, "down"))
                if number:
                    slowest.append(_script(root, name)[1])
        finally:
            floe(root, "down", "--volumes")
    up, order, one = statistics.median(ours), statistics.median(peer), statistics.median(slowest)
    return {
        "floe up, volumes new (s)": round(cold, 2),
        "floe up, warm (s)": round(up, 2),
        "floe up of what runs (s)": round(again, 2),
        "one after another (s)": round(order, 2),
        "ratio to one after another": round(up / order, 2),
        "goal of that": "<= 0.6",
        f"slowest alone: {name} (s)": round(one, 2),
        "ratio to the slowest alone": round(up / one, 2),
        "goal of that ratio": "<= 1.1",
        "alone (s)": {each: round(seconds, 2) for each, seconds in alone.items()},
        "floe down (s)": round(statistics.median(downs), 2),
        "goal of floe down": "<= 3",
        "catalog in its container, per second": catalog,
        "rounds": rounds,
    }


def _missing() -> str | None:
    done = subprocess.run([str(BIN / "floe"), "images", "list", "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return "no engine: make test-docker"
    here = [i for i in json.loads(done.stdout)["images"] if i["stack"] == STACK]
    return "images are missing: floe images build" if any(i["size_bytes"] is None for i in here) else None


def _services(root: Path) -> list[str]:
    return [service["name"] for service in json.loads(floe(root, "status", "--json").stdout)["services"]]


def _script(root: Path, *service: str) -> tuple[float, float]:
    """Seconds until the script says that everything is ready, and what its last service took of them."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.p2_sequence", str(root), *service],
        cwd=Path(__file__).resolve().parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as script:
        assert script.stdout is not None
        assert script.stdin is not None
        line = script.stdout.readline()
        seconds = time.perf_counter() - began
        script.stdin.close()  # it stops what it started
        if script.wait(60) != 0 or not line.startswith("ready "):
            raise RuntimeError(f"the script did not come up: {line}")
    _, name, took = line.split()
    if service and name != service[0]:
        raise RuntimeError(f"{name} became ready after {service[0]}")
    return seconds, float(took)


def _catalog(root: Path, count: int) -> dict[str, dict[str, float]]:
    """P5's four operations with plain requests, by number of clients."""
    known = stack_environment(root)
    uri = known["POLARIS_URI"]
    form = {
        "grant_type": "client_credentials",
        "client_id": known["POLARIS_CLIENT_ID"],
        "client_secret": known["POLARIS_CLIENT_SECRET"],
        "scope": known["POLARIS_SCOPE"],
    }
    with urllib.request.urlopen(f"{uri}/v1/oauth/tokens", urllib.parse.urlencode(form).encode()) as answer:
        token = json.load(answer)["access_token"]
    warehouse = known["POLARIS_WAREHOUSE"]
    make = urllib.request.Request(
        f"{uri}/v1/{warehouse}/namespaces",
        json.dumps({"namespace": ["bench"]}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(make).close()
    port = urllib.parse.urlsplit(uri).port
    assert port is not None
    target = p5_catalog.Target(port, warehouse, token, "", "")
    return {
        f"{clients} clients": {
            operation: round(figures["per_second"])
            for operation, figures in p5_catalog.rates("rest", target, clients, count).items()
        }
        for clients in p5_catalog.CLIENTS
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))

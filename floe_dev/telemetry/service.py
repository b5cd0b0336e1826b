"""The receiver as a service of every stack, and the environment that makes programs send to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from floe_dev.model.layout import Layout
from floe_dev.model.stack import Probe, Service
from floe_dev.telemetry.forward import LINEAGE_KEY, LINEAGE_URL, OTLP_ENDPOINT, OTLP_HEADERS, OTLP_PROTOCOL
from floe_dev.telemetry.grpc_server import PORT_FILE
from floe_dev.tracing.spool import LINEAGE_VARIABLE, TRACES_VARIABLE
from floe_dev.tracing.spool import VARIABLE as SPOOL_VARIABLE

NAME = "telemetry"
#: OTLP/HTTP's registered port.
PORT = 4318
#: The user's own variables that say where everything is to be sent on to.
_FORWARDED = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": OTLP_ENDPOINT,
    "OTEL_EXPORTER_OTLP_HEADERS": OTLP_HEADERS,
    "OTEL_EXPORTER_OTLP_PROTOCOL": OTLP_PROTOCOL,
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{OTLP_ENDPOINT}_TRACES",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{OTLP_ENDPOINT}_LOGS",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{OTLP_ENDPOINT}_METRICS",
    "OPENLINEAGE_URL": LINEAGE_URL,
    "OPENLINEAGE_API_KEY": LINEAGE_KEY,
}


def telemetry_service(depends_on: tuple[str, ...]) -> Service:
    """The declared service; until it listens, the spool keeps what floe's own processes record."""
    return Service(
        name=NAME,
        command=(
            *("{python}", "-m", "floe_dev.telemetry", "--port", "{port}"),
            *("--folder", "{state}/telemetry", "--instance", "{instance}"),
        ),
        port=PORT,
        depends_on=depends_on,
        probe=Probe(path="/health", instance_header="X-Floe-Instance"),
        stop_grace_seconds=2.5,
    )


def sender_environment(
    layout: Layout, port: int, token: str, *, traces: bool = True, lineage: bool = True
) -> dict[str, str]:
    """What every child of the stack has: the spool for floe's own spans, OTLP and OpenLineage for everybody's.

    Where the project wants no `traces` or no `lineage`, nothing of the kind is recorded by floe.
    """
    url = f"http://127.0.0.1:{port}"
    own = {}
    for kind in ("TRACES", "LOGS", "METRICS"):
        # What the user set for one signal alone would go before the general variables, past this receiver.
        for name, value in (("ENDPOINT", f"{url}/v1/{kind.lower()}"), ("PROTOCOL", "http/protobuf"), ("HEADERS", "")):
            if os.environ.get(f"OTEL_EXPORTER_OTLP_{kind}_{name}"):
                own[f"OTEL_EXPORTER_OTLP_{kind}_{name}"] = value or f"authorization={quote(f'Bearer {token}')}"
    return {
        **own,
        SPOOL_VARIABLE: str(layout.telemetry_dir / "spool"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={quote(f'Bearer {token}')}",
        "OPENLINEAGE_URL": url,
        "OPENLINEAGE_API_KEY": token,
        **({} if traces else {TRACES_VARIABLE: "off"}),
        **({} if lineage else {LINEAGE_VARIABLE: "off"}),
    }


def grpc_environment(layout: Layout) -> dict[str, str]:
    """Where OTLP over gRPC is taken, for programs that speak nothing else; empty before the receiver listens there."""
    try:
        port = int((layout.telemetry_dir / PORT_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return {"FLOE_OTLP_GRPC_ENDPOINT": f"http://127.0.0.1:{port}"}


def receiver_environment(
    token: str,
    port: int,
    environ: Mapping[str, str] = os.environ,
    *,
    otlp_endpoint: str | None = None,
    lineage_endpoint: str | None = None,
) -> dict[str, str]:
    """What the receiver alone is told: the token, and where the user wants everything sent as well.

    The endpoints are platform.yaml's; the user's own variables go before them.
    """
    from floe_dev.telemetry.__main__ import TOKEN_VARIABLE

    told = {TOKEN_VARIABLE: token}
    if otlp_endpoint:
        told[OTLP_ENDPOINT] = otlp_endpoint
    if lineage_endpoint:
        told[LINEAGE_URL] = lineage_endpoint
    for theirs, ours in _FORWARDED.items():
        if environ.get(theirs):
            told[ours] = environ[theirs]
    signals = [(f"{OTLP_ENDPOINT}_{kind}", OTLP_HEADERS) for kind in ("TRACES", "LOGS", "METRICS")]
    for url, extra in ((OTLP_ENDPOINT, OTLP_HEADERS), *signals, (LINEAGE_URL, LINEAGE_KEY)):
        place = urlsplit(told.get(url, ""))
        if place.hostname in ("127.0.0.1", "localhost", "::1") and place.port == port:
            # Started from a shell with `floe env`: that is this receiver itself.
            told.pop(url)
            told.pop(extra, None)
    return told

"""Stack files with containers: the bundled one, images by variable, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_dev import __version__
from floe_dev.config.interpolation import interpolate
from floe_dev.config.stacks import load_stack
from floe_dev.errors import Code, FloeError
from floe_dev.model.stack import DriverKind
from floe_dev.storage.policy import bucket_policy, prefix_policy, split


@pytest.mark.parametrize(("name", "catalog"), [("lakehouse", "polaris"), ("lakehouse-lite", "catalog")])
def test_a_docker_stack_has_catalog_store_and_database_in_containers(name: str, catalog: str) -> None:
    stack = load_stack(name)
    services = {service.name: service for service in stack.services}
    assert {service.driver for service in stack.services} == {DriverKind.DOCKER}
    assert (stack.catalog_service, stack.object_store_service) == (catalog, "minio")
    assert stack.database_service == "postgres"
    assert services["minio"].volumes == {"objects": "/data"}
    assert (services["minio"].port, services["minio"].container_port) == (9000, 9000)
    assert services[catalog].depends_on == ("postgres",)
    assert services[catalog].healthcheck[0] == "curl"
    assert stack.provision


def test_the_two_docker_stacks_differ_in_the_catalogs_image_alone() -> None:
    """What the parity test compares is the catalog, so nothing else may be another."""
    full, lite = ({s.name: s for s in load_stack(name).services} for name in ("lakehouse", "lakehouse-lite"))
    assert full["minio"] == lite["minio"]
    assert full["postgres"].image == lite["postgres"].image
    common, own = dict(full["polaris"].environment), dict(lite["catalog"].environment)
    for floes in ("FLOE_INSTANCE", "FLOE_CATALOG_ROOT"):
        own.pop(floes)
    # What floe's image does anyhow.
    for polaris in ("QUARKUS_LOG_FILE_ENABLED", "QUARKUS_OTEL_EXPORTER_OTLP_PROTOCOL", "QUARKUS_OTEL_TRACES_SAMPLER"):
        common.pop(polaris)
    assert {key: value.replace("/polaris", "/catalog") for key, value in common.items()} == own


def test_the_catalogs_image_is_of_this_version() -> None:
    images = {service.name: service.image for service in load_stack("lakehouse-lite").services}
    assert images["catalog"] == f"floe/catalog:{__version__}"


def test_a_variable_names_another_image_and_goes_before_floe_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "floe.yaml").write_text("name: shop\nimages: {minio: 'from-yaml:1'}\n")

    def image() -> str | None:
        services = load_stack("lakehouse", tmp_path).services
        return next(service.image for service in services if service.name == "minio")

    assert image() == "from-yaml:1"
    monkeypatch.setenv("FLOE_IMAGE_MINIO", "mine:1")
    assert image() == "mine:1"


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("{image: 'a:1', x-floe: {driver: process}}", "x-floe.driver: docker"),
        ("{x-floe: {driver: docker}}", "x-floe.driver: docker"),
        ("{image: 'a:1', x-floe: {driver: docker}, volumes: ['other:/data']}", "add `other:`"),
        ("{image: 'a:1', x-floe: {driver: docker}, volumes: ['data:relative']}", "data:relative"),
    ],
)
def test_a_bad_container_is_one_error(tmp_path: Path, service: str, told: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"name: x\nvolumes: {{data: }}\nservices:\n  a: {service}\n")
    with pytest.raises(FloeError) as caught:
        load_stack(str(file))
    assert caught.value.code is Code.INVALID_VALUE
    assert told in str(caught.value)
    assert "x.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("ports: ['0.0.0.0:80:80']", "nothing listens beyond 127.0.0.1"),
        ("ports: ['80:x']", "is not `127.0.0.1:PORT:PORT`"),
        ("ports: ['70000:80']", "1 to 65535"),
        ("volumes: ['data:/data:rx']", "`ro` and `rw`"),
        ("stop_grace_period: soon", "no duration"),
        ("mem_limit: much", "no size"),
        ("networks: [other]", "networks"),
        ("depends_on: {b: {condition: service_completed_successfully}}", "service_healthy"),
        ("image: '${NO_SUCH_IMAGE:?name one}'", "NO_SUCH_IMAGE is not set: name one"),
    ],
)
def test_what_floe_does_not_do_is_one_error_with_its_line(tmp_path: Path, service: str, told: str) -> None:
    file = tmp_path / "x.yaml"
    image = "" if service.startswith("image") else "    image: 'a:1'\n"
    file.write_text(f"services:\n  a:\n{image}    {service}\n")
    with pytest.raises(FloeError) as caught:
        load_stack(str(file))
    assert told in str(caught.value)
    assert f"x.yaml:{file.read_text().count(chr(10))}" in str(caught.value)


def test_what_compose_takes_in_several_forms_is_one_thing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICH", "b:2")
    file = tmp_path / "own.yaml"
    file.write_text(
        """
x-shared: &shared {restart: "no", stop_grace_period: 1m30s}
services:
  short:
    <<: *shared
    image: ${WHICH:-a:1}
    command: serve --name "two words"
    environment: ["A=1", "B=x=y", HOME]
    ports: ["8080:80", "127.0.0.1:9090:90", 7000]
    volumes: ["data:/data", "./conf:/etc/conf:ro"]
    tmpfs: /tmp
    mem_limit: 512m
    depends_on: [long]
    healthcheck: {test: "true"}
  long:
    image: a:1
    environment: {A: 1, B: true, C: "${D:-e}"}
    ports: [{target: 80, published: "8081", host_ip: 127.0.0.1}]
    volumes: [{type: volume, source: data, target: /data}]
    depends_on: {}
    healthcheck: {test: [CMD, pg_isready]}
volumes:
  data:
"""
    )
    stack = load_stack(str(file))
    assert stack.name == "own"
    short, long = stack.services
    assert (short.image, long.image) == ("b:2", "a:1")
    assert short.command == ("serve", "--name", "two words")
    assert short.environment == {"A": "1", "B": "x=y", "HOME": "${HOME}"}
    assert long.environment == {"A": "1", "B": "true", "C": "${D:-e}"}
    assert short.wanted_ports() == {"short": 8080, "short/90": 9090, "short/7000": 7000}
    assert long.wanted_ports() == {"long": 8081}
    assert short.volumes == long.volumes == {"data": "/data"}
    assert [(bind.source, bind.read_only) for bind in short.binds] == [(str(tmp_path / "conf"), True)]
    assert (short.stop_grace_seconds, short.memory_bytes, short.tmpfs) == (90.0, 512 * 2**20, ("/tmp",))
    assert not short.restart.enabled
    assert long.restart.enabled
    assert short.depends_on == ("long",)
    assert short.healthcheck == ("/bin/sh", "-c", "true")
    assert long.healthcheck == ("pg_isready",)


def test_a_stack_extends_another(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    file = tmp_path / "stacks" / "mine.yaml"
    file.write_text("x-floe: {extends: lakehouse-lite}\nservices: {box: {image: 'a:1', depends_on: [minio]}}\n")
    base, mine = load_stack("lakehouse-lite"), load_stack("mine", tmp_path)
    assert [service.name for service in mine.services] == [*(service.name for service in base.services), "box"]
    assert (mine.catalog_service, mine.object_store_service, mine.provision) == ("catalog", "minio", True)
    file.write_text("x-floe: {extends: mine}\n")
    with pytest.raises(FloeError, match="extends itself"):
        load_stack("mine", tmp_path)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$A-${A}", "1-1"),
        ("${NONE:-two}${EMPTY:-three}${EMPTY-four}", "twothree"),
        ("${A:+yes}${NONE:+no}", "yes"),
        ("$$A ${A:?}", "$A 1"),
        ("{port} ${NONE}.", "{port} ."),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, filled: str) -> None:
    assert interpolate(text, {"A": "1", "EMPTY": ""}) == filled


def test_a_reading_policy_allows_no_writing_and_no_other_prefix() -> None:
    policy = prefix_policy(["s3://lake/shop/orders/"], write=False)
    objects, listing = policy["Statement"]
    assert objects["Action"] == ["s3:GetObject"]
    assert objects["Resource"] == ["arn:aws:s3:::lake/shop/orders/*"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["shop/orders", "shop/orders/*"]}}
    assert "s3:PutObject" in prefix_policy(["s3://lake/shop/orders"], write=True)["Statement"][0]["Action"]


def test_a_buckets_policy_names_that_bucket_only() -> None:
    (statement,) = bucket_policy("lake")["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"]


def test_a_location_is_bucket_and_key() -> None:
    assert split("s3://lake/shop/größe 1") == ("lake", "shop/größe 1")
    with pytest.raises(ValueError, match="not an S3 location"):
        split("file:///lake")

"""Stack files with containers: the bundled one, images by variable, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_dev.config.stacks import load_stack
from floe_dev.errors import Code, FloeError
from floe_dev.model.stack import DriverKind
from floe_dev.storage.policy import bucket_policy, prefix_policy, split


def test_the_minio_stack_has_one_container_and_the_catalog_beside_it() -> None:
    stack = load_stack("minio")
    services = {service.name: service for service in stack.services}
    minio = services[str(stack.object_store_service)]
    assert minio.driver is DriverKind.DOCKER
    assert minio.volumes == {"objects": "/data"}
    assert minio.container_port == 9000
    assert services[str(stack.catalog_service)].driver is DriverKind.PROCESS
    assert stack.provision


def test_a_variable_names_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOE_IMAGE_MINIO", "mine:1")
    (image,) = (service.image for service in load_stack("minio").services if service.name == "minio")
    assert image == "mine:1"


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("{image: 'a:1'}", "x-floe.driver: docker"),
        ("{x-floe: {driver: docker}}", "x-floe.driver: docker"),
        ("{image: 'a:1', x-floe: {driver: docker}, volumes: ['other:/data']}", "other:/data"),
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

"""What every compute has to hold to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from floe_dev.compute.base import Compute
from floe_dev.config.plugins import load
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.model.platform import CatalogSpec, ComputeSpec, Layer, Platform, SecretRef
from floe_dev.model.project import FloeSpec, Project
from floe_dev.validate.secrets import credentials_in

_CONNECTION = CatalogConnection(
    uri="http://127.0.0.1:1/api/catalog",
    warehouse="lake 'house",
    credential=Credential(client_id="someone", client_secret=SecretStr("s3'cret")),
)


class ComputeContract:
    """Fixtures to give: `compute`, and `declared`, a complete entry of platform.yaml."""

    @pytest.fixture
    def compute(self) -> Compute:
        """The compute under test."""
        raise NotImplementedError

    @pytest.fixture
    def declared(self, compute: Compute) -> ComputeSpec:
        """What platform.yaml says of it."""
        return ComputeSpec(type=compute.type, credentials={"password": SecretRef(secret_ref="engine-password")})

    @pytest.fixture
    def project(self, tmp_path: Path, declared: ComputeSpec) -> Project:
        """A project that uses it."""
        platform = Platform(
            layers={"silver": Layer(storage_ref="s", namespace="silver")},
            catalogs={"default": CatalogSpec(uri=_CONNECTION.uri, warehouse="lake")},
            compute={"default": declared},
        )
        spec = FloeSpec(name="contract", version="1")
        return Project(root=tmp_path, spec=spec, platform=platform, platform_file=tmp_path / "platform.yaml")

    def test_it_is_found_by_its_type(self, compute: Compute) -> None:
        """Under the word that platform.yaml has for it."""
        assert load("computes", compute.type) is compute

    def test_the_profile_is_a_target_of_dbt(self, compute: Compute, project: Project) -> None:
        """It names its adapter and a schema, and YAML keeps it as it is."""
        output = compute.dbt_output(project)
        assert output["type"]
        assert output["schema"] == "silver"
        assert yaml.safe_load(yaml.safe_dump(output)) == output

    def test_the_profile_holds_no_credential(self, compute: Compute, project: Project) -> None:
        """Only references that dbt resolves."""
        output = compute.dbt_output(project)
        assert list(credentials_in(output)) == []
        if project.compute().credentials and output["type"] != "floe":
            assert output["password"] == "{{ env_var('ENGINE_PASSWORD') }}"

    def test_settings_of_platform_yaml_arrive(self, compute: Compute, project: Project, declared: ComputeSpec) -> None:
        """Whatever the engine's own keys are."""
        properties = {**declared.properties, "threads": 7}
        changed = declared.model_copy(update={"properties": properties})
        platform = project.platform.model_copy(update={"compute": {"default": changed}})
        assert compute.dbt_output(project.model_copy(update={"platform": platform}))["threads"] == 7

    def test_the_same_project_gives_the_same_profile(self, compute: Compute, project: Project) -> None:
        """Dbt's partial parsing and compiled artifacts depend on it."""
        assert compute.dbt_output(project) == compute.dbt_output(project)

    def test_a_client_is_told_the_whole_connection(self, compute: Compute) -> None:
        """Address, warehouse and principal, each quoted as the engine reads it."""
        told = compute.client(_CONNECTION)
        assert _CONNECTION.uri in told
        assert "someone" in told
        assert "lake '" in told

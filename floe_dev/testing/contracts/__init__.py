"""Contracts: test suites that every orchestrator, compute, catalog and storage has to pass, one's own too.

Subclass the suite of the kind in a test module, give its fixture, and pytest runs it:

    class TestMyCompute(ComputeContract):
        @pytest.fixture
        def compute(self):
            return load("computes", "mine")
"""

from floe_dev.testing.contracts.catalog import CatalogContract
from floe_dev.testing.contracts.compute import ComputeContract
from floe_dev.testing.contracts.orchestrator import OrchestratorContract
from floe_dev.testing.contracts.storage import StorageContract

__all__ = ["CatalogContract", "ComputeContract", "OrchestratorContract", "StorageContract"]

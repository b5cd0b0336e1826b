"""A project whose own definitions.py takes the pieces: the same graph as `build_definitions` makes of the two files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.dagster.conftest import copy_sample

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "python-assets.md"
COMPARE = """
import json
from pathlib import Path

from floe_dev.dbt.profile import write_profile
from floe_dev.config.project import load_project

write_profile(load_project(Path.cwd()))
import by_hand
from floe_dev.orchestrators.dagster import build_definitions

def told(definitions):
    graph = definitions.resolve_asset_graph()
    made = {key for key in graph.get_all_asset_keys() if "dbt" in graph.get(key).kinds}
    return {
        "models": sorted("/".join(key.path) for key in made),
        "checks": sorted(str(key) for key in graph.asset_check_keys if key.asset_key in made),
        "partitioned": sorted("/".join(key.path) for key in made if graph.get(key).partitions_def),
        "groups": sorted({graph.get(key).group_name for key in made}),
    }

print(json.dumps([told(by_hand.defs), told(build_definitions(Path.cwd()))]))
"""


def test_the_page_of_python_assets_shows_a_definitions_file_that_loads(tmp_path: Path) -> None:
    root = copy_sample(tmp_path)
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[-1]
    assert "project_dbt_assets" in block
    # Its jobs name Python assets that this file leaves out.
    (root / "by_hand.py").write_text(block)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "DBT_", "DAGSTER"))}
    done = subprocess.run(
        [sys.executable, "-c", COMPARE],
        cwd=root,
        env={**clean, **{f"POLARIS_{name}": "x" for name in ("URI", "WAREHOUSE", "CLIENT_ID", "CLIENT_SECRET")}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_hand, whole = json.loads(done.stdout.splitlines()[-1])
    assert by_hand.pop("groups") == ["everything"]
    assert "marts" in whole.pop("groups")
    assert by_hand == whole
    assert by_hand["partitioned"] == ["gold/daily_traffic"]

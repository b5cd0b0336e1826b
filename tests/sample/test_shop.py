"""The sample shop's functions on their own, with Dagster out of reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sample_project.shop import ingestion, transforms
from sample_project.shop.sizes import DAYS, FIRST_DAY, Sizes

SAMPLE = Path(__file__).parents[2] / "sample_project"
SIZES = Sizes(orders=2_000)


def test_the_same_size_gives_the_same_rows() -> None:
    for make in (ingestion.customers, ingestion.orders, ingestion.payments, ingestion.events):
        assert make(SIZES).read_all().equals(make(SIZES).read_all())


def test_rows_of_each_table() -> None:
    assert ingestion.customers(SIZES).read_all().num_rows == 200
    assert ingestion.orders(SIZES).read_all().num_rows == 2_000
    assert ingestion.payments(SIZES).read_all().num_rows == 2_100
    assert ingestion.events(SIZES).read_all().num_rows == 4_000


def test_a_large_table_comes_in_chunks_with_numbers_that_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "CHUNK_ROWS", 300)
    batches = list(ingestion.orders(Sizes(orders=1_000)))
    assert [batch.num_rows for batch in batches] == [300, 300, 300, 100]
    ids = pa.Table.from_batches(batches)["id"].to_pylist()
    assert ids == list(range(1, 1_001))


def test_keys_refer_to_rows_that_exist() -> None:
    orders = ingestion.orders(SIZES).read_all()
    customers = orders["customer_id"].unique()
    assert pc.min(customers).as_py() >= 1
    assert pc.max(customers).as_py() <= SIZES.customers
    payments = ingestion.payments(SIZES).read_all()
    assert set(payments["order_id"].to_pylist()) == set(range(1, SIZES.orders + 1))


def test_the_shares_of_an_orders_payments_make_it_whole() -> None:
    payments = ingestion.payments(SIZES).read_all()
    shares = payments.group_by("order_id").aggregate([("share", "sum")])["share_sum"]
    assert set(shares.to_pylist()) == {1.0}


def test_orders_are_within_the_shops_days() -> None:
    moments = ingestion.orders(SIZES).read_all()["ordered_at"]
    assert pc.min(moments).as_py() >= FIRST_DAY
    assert (pc.max(moments).as_py() - FIRST_DAY).days < DAYS


@pytest.mark.parametrize(("text", "orders"), [("", 5_000), ("10_000_000", 10_000_000), (" 7 ", 7)])
def test_the_size_is_one_variable(text: str, orders: int) -> None:
    assert Sizes.from_environment({"FLOE_SAMPLE_ORDERS": text}).orders == orders


@pytest.mark.parametrize("text", ["0", "-3", "many", "1e7"])
def test_a_size_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="FLOE_SAMPLE_ORDERS"):
        Sizes.from_environment({"FLOE_SAMPLE_ORDERS": text})


def test_segments() -> None:
    day = FIRST_DAY
    rows = [(1, 500_000), (2, 100), (3, 1), (3, 1), (3, 1), (3, 1), (3, 1)]
    orders = pa.table(
        {
            "customer_id": [customer for customer, _ in rows],
            "total_cents": [cents for _, cents in rows],
            "ordered_at": [day.replace(day=index + 1) for index in range(len(rows))],
        }
    )
    result = transforms.customer_segments(orders).to_pylist()
    assert [row["segment"] for row in result] == ["valued", "occasional", "regular"]
    assert [row["days_since_last_order"] for row in result] == [6, 5, 0]


def test_sessions_are_of_the_days_asked_for() -> None:
    day = FIRST_DAY
    visits = [(1, "view", 0), (1, "checkout", 0), (2, "view", 0), (1, "view", 1), (3, "view", 2)]
    events = pa.table(
        {
            "customer_id": [customer for customer, _, _ in visits],
            "event_type": [kind for _, kind, _ in visits],
            "occurred_at": pa.array([day.replace(day=1 + later, hour=9) for _, _, later in visits], pa.timestamp("us")),
        }
    )
    result = transforms.daily_sessions(events, day, day.replace(day=3)).to_pylist()
    assert [(row["day"].day, row["customer_id"], row["events"], row["checked_out"]) for row in result] == [
        (1, 1, 2, True),
        (1, 2, 1, False),
        (2, 1, 1, False),
    ]


#: As if neither Dagster nor floe were installed; the tests above then run as they are.
WITHOUT_ORCHESTRATOR = """
import sys


class Uninstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith(("dagster", "airflow", "prefect", "floe_dev")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Uninstalled())
import pytest

plain = ["-q", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider", "-k", "not orchestrator"]
sys.exit(pytest.main([*plain, "tests/sample/test_shop.py"]))
"""


def test_the_functions_pass_their_tests_where_no_orchestrator_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ORCHESTRATOR],
        cwd=SAMPLE.parent,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 14


def test_definitions_are_short() -> None:
    assert len((SAMPLE / "definitions.py").read_text().splitlines()) < 30


def test_nothing_in_it_belongs_to_one_machine() -> None:
    for file in SAMPLE.rglob("*"):
        if file.is_file() and not {".floe", "__pycache__"} & set(file.parts) and file.suffix != ".pyc":
            assert str(Path.home()) + "/" not in file.read_text(encoding="utf-8"), file

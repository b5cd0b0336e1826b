"""A failure to look at: PLANT_A_FAILURE=1 pytest tests/test_planted.py, then floe open capsules/*.zip."""

import os

import pytest

pytestmark = pytest.mark.skipif(not os.environ.get("PLANT_A_FAILURE"), reason="PLANT_A_FAILURE is not set")


def test_a_column_that_is_not_there(dbt):
    dbt({"broken": "{{ config(materialized='table') }} select no_such_column from (select 1 as id)"})

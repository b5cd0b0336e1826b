{{
  config(
    schema='gold',
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='day',
    event_time='day',
  )
}}

-- floe.yaml builds this model by day: Dagster's partition arrives as the variables `start` and `end`.
select
    day,
    count(*) as visitors,
    cast(sum(events) as bigint) as events,
    count(*) filter (where checked_out) as buyers
from {{ source('python', 'daily_sessions') }}
where day >= timestamp '{{ var("start", "2025-01-01") }}' and day < timestamp '{{ var("end", "2025-01-31") }}'
group by day

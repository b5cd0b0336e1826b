{{
  config(
    schema='silver',
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='event_id',
    on_schema_change='append_new_columns',
  )
}}

select event_id, customer_id, event_type, page, occurred_at
from {{ ref('stg_events') }}
{% if is_incremental() %}
-- The last day again, since events arrive late; everything before it stays as it is.
where occurred_at >= (select date_trunc('day', max(occurred_at)) from {{ this }})
{% endif %}

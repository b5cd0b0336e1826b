select
    id as event_id,
    customer_id,
    event_type,
    page,
    occurred_at
from {{ source('shop', 'raw_events') }}

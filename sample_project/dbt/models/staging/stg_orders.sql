select
    id as order_id,
    customer_id,
    product,
    quantity,
    unit_price_cents,
    quantity * unit_price_cents as total_cents,
    status,
    ordered_at
from {{ source('shop', 'raw_orders') }}

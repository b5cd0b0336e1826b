select
    id as payment_id,
    order_id,
    method,
    share,
    status,
    paid_at
from {{ source('shop', 'raw_payments') }}

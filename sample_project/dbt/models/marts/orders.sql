{{ config(schema='silver', partition_by='day(ordered_at)', sort_order='ordered_at') }}

select
    orders.order_id,
    orders.customer_id,
    orders.product,
    orders.quantity,
    orders.total_cents,
    orders.status,
    coalesce(payments.settled_share, 0) >= 1 as is_paid,
    payments.first_paid_at,
    orders.ordered_at
from {{ ref('stg_orders') }} as orders
left join {{ ref('int_order_payments') }} as payments using (order_id)

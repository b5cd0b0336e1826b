{{ config(schema='gold') }}

select
    customers.customer_id,
    customers.country,
    customers.region,
    count(orders.order_id) as orders,
    {{ cents_to_amount('coalesce(sum(orders.total_cents), 0)') }} as lifetime_revenue,
    min(orders.ordered_at) as first_order_at,
    max(orders.ordered_at) as last_order_at
from {{ ref('customers') }} as customers
left join {{ ref('orders') }} as orders using (customer_id)
group by 1, 2, 3

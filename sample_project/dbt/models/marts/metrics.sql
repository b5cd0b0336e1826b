{{ config(schema='gold') }}

with orders as (
    select
        cast(ordered_at as date) as day,
        count(*) as orders,
        count(distinct customer_id) as customers,
        sum(total_cents) filter (where status <> 'returned') as revenue_cents,
        count(*) filter (where status = 'returned') as returned_orders
    from {{ ref('orders') }}
    group by 1
),

visits as (
    select
        cast(occurred_at as date) as day,
        count(*) as events,
        count(*) filter (where event_type = 'checkout') as checkouts
    from {{ ref('events') }}
    group by 1
)

select
    orders.day,
    orders.orders,
    orders.customers,
    {{ cents_to_amount('orders.revenue_cents') }} as revenue,
    orders.returned_orders,
    coalesce(visits.events, 0) as events,
    coalesce(visits.checkouts, 0) as checkouts
from orders
left join visits using (day)
order by orders.day

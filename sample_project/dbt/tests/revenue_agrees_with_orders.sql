-- The metrics must tell the same revenue as the orders they are made from; a row is a failure.
with told as (select sum(revenue) as revenue from {{ ref('metrics') }}),

made as (
    select {{ cents_to_amount('sum(total_cents)') }} as revenue
    from {{ ref('orders') }}
    where status <> 'returned'
)

select told.revenue, made.revenue as expected
from told cross join made
where abs(told.revenue - made.revenue) > 0.5

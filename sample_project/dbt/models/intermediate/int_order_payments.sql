-- One row for each order: what was settled of it. Ephemeral: it becomes part of the models that use it.
select
    order_id,
    count(*) as payments,
    sum(case when status = 'settled' then share else 0 end) as settled_share,
    min(paid_at) filter (where status = 'settled') as first_paid_at
from {{ ref('stg_payments') }}
group by order_id

{{ config(materialized="table") }}
select customer, sum(amount)::bigint as revenue
from {{ ref("orders") }}
group by customer

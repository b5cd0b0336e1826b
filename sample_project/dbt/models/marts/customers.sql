{{ config(schema='silver') }}

select
    customers.customer_id,
    customers.customer_name,
    customers.email,
    customers.country,
    countries.region,
    customers.signed_up_at,
    customers.marketing_opt_in
from {{ ref('stg_customers') }} as customers
left join {{ ref('countries') }} as countries using (country)

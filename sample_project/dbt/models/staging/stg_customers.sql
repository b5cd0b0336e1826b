select
    id as customer_id,
    name as customer_name,
    lower(email) as email,
    country,
    signed_up_at,
    marketing_opt_in
from {{ source('shop', 'raw_customers') }}

{#- A model's schema is its namespace in the catalog, exactly: `silver`, not `<target>_silver`. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

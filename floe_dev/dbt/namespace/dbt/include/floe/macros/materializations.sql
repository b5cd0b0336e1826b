{#- Tables are Iceberg tables of the attached catalog: DuckDB writes the files, the catalog commits them once. -#}

{% macro floe__query(compiled_code, stage) %}
  {#- The query whose rows are written: the model's SQL, or what a Python model left in memory. -#}
  {%- if model['language'] == 'python' -%}
    {{ return('select * from ' ~ stage) }}
  {%- endif -%}
  {%- if config.get('contract').enforced -%}
    {%- do get_assert_columns_equivalent(compiled_code) -%}
    {{ return(get_select_subquery(compiled_code)) }}
  {%- endif -%}
  {{ return(compiled_code) }}
{% endmacro %}

{% macro floe__stage_relation() %}
  {{ return(api.Relation.create(database='memory', schema='main', identifier=adapter.stage_name(), type='table')) }}
{% endmacro %}

{% materialization table, adapter='floe', supported_languages=['sql', 'python'] %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set stage = floe__stage_relation() -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {#- dbt lets only a materialization itself start a Python model. -#}
  {%- if model['language'] == 'python' -%}
    {%- call statement('floe_python', language='python') -%}
      {{- duckdb__create_table_as(False, stage, compiled_code, 'python') }}
    {%- endcall -%}
  {%- endif -%}
  {%- set query = floe__query(compiled_code, stage) -%}
  {%- do store_result('main', response=adapter.replace_table(target_relation, query, model)) -%}
  {%- do adapter.drop_stage(stage) -%}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization incremental, adapter='floe', supported_languages=['sql', 'python'] %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set stage = floe__stage_relation() -%}
  {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore') -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {#- dbt lets only a materialization itself start a Python model. -#}
  {%- if model['language'] == 'python' -%}
    {%- call statement('floe_python', language='python') -%}
      {{- duckdb__create_table_as(False, stage, compiled_code, 'python') }}
    {%- endcall -%}
  {%- endif -%}
  {%- set query = floe__query(compiled_code, stage) -%}
  {%- if existing_relation is none or should_full_refresh() -%}
    {%- set response = adapter.replace_table(target_relation, query, model) -%}
  {%- else -%}
    {%- set response = adapter.change_table(target_relation, query, model, on_schema_change) -%}
  {%- endif -%}
  {%- do store_result('main', response=response) -%}
  {%- do adapter.drop_stage(stage) -%}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization view, adapter='floe' %}
  {#- In DuckDB's memory for this invocation, its definition in the catalog for every other. -#}
  {%- set target_relation = this.incorporate(type='view') -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {%- set query = floe__query(compiled_code, none) -%}
  {%- do store_result('main', response=adapter.replace_view(target_relation, query, model)) -%}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization seed, adapter='floe' %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set agate_table = load_agate_table() -%}
  {%- do store_result('agate_table', response='OK', agate_table=agate_table) -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {%- set query = floe__seed_query(model, agate_table) -%}
  {%- do store_result('main', response=adapter.replace_table(target_relation, query, model)) -%}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro floe__seed_query(model, agate_table) %}
  {#- The CSV as DuckDB reads it, with the types dbt inferred or the seed's `column_types` say. -#}
  {%- set overrides = model['config'].get('column_types', {}) -%}
  {%- set path = adapter.escape_sql_string(adapter.get_seed_file_path(model)) -%}
  {%- set delimiter = adapter.escape_sql_string(config.get('delimiter', ',')) -%}
  select
  {%- for name in agate_table.column_names %}
    cast({{ adapter.quote(name) }} as {{ overrides.get(name, adapter.convert_type(agate_table, loop.index0)) }}) as {{ adapter.quote(name) }}
    {%- if not loop.last %},{% endif %}
  {%- endfor %}
  from read_csv('{{ path }}', header = true, all_varchar = true, delim = '{{ delimiter }}', quote = '"', escape = '"')
{% endmacro %}

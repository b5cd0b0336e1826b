{#- What dbt's and dbt-duckdb's own macros do in SQL that DuckDB's Iceberg catalog does not know. -#}

{% macro floe__generate_database_name(custom_database_name=none, node=none) -%}
  {#- A view cannot be in the attached catalog: DuckDB resolves it in memory. -#}
  {%- if node is not none and node.config is defined and node.config.materialized == 'view' -%}
    {{ return('memory') }}
  {%- endif -%}
  {{ return(default__generate_database_name(custom_database_name, node)) }}
{%- endmacro %}

{% macro floe__create_table_as(temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none) -%}
  {#- Reached by snapshots and stored test failures; models have their own materializations. -#}
  {%- if temporary or relation.database == 'memory' -%}
    create or replace table {{ relation }} as ({{ compiled_code }})
  {%- else -%}
    {%- do adapter.replace_table(relation, compiled_code, model) -%}
    select 1
  {%- endif -%}
{%- endmacro %}

{% macro floe__make_temp_relation(base_relation, suffix) -%}
  {{ return(floe__stage_relation()) }}
{%- endmacro %}

{% macro build_snapshot_staging_table(strategy, sql, target_relation) %}
  {%- set stage = floe__stage_relation() -%}
  {%- call statement('build_snapshot_staging_relation') -%}
    {{ create_table_as(True, stage, snapshot_staging_table(strategy, sql, target_relation)) }}
  {%- endcall -%}
  {%- do return(stage) -%}
{% endmacro %}

{% macro floe__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
  {%- do adapter.merge_snapshot(target, source, insert_cols, columns, config.get('dbt_valid_to_current'), model) -%}
  select 1
{%- endmacro %}

{% macro floe__post_snapshot(staging_relation) %}
  {%- do adapter.drop_stage(staging_relation) -%}
{% endmacro %}

{% macro floe__alter_relation_add_remove_columns(relation, add_columns, remove_columns) -%}
  {%- do adapter.alter_columns(relation, add_columns, remove_columns) -%}
{%- endmacro %}

{#- Grants belong to the catalog's roles; comments are written with the schema (`persist_docs`). -#}
{% macro floe__apply_grants(relation, grant_config, should_revoke=True) -%}
  {%- if grant_config -%}
    {%- do adapter.warn_once('grants in dbt are not applied: rights are the catalog\'s roles and grants') -%}
  {%- endif -%}
{%- endmacro %}

{% macro floe__persist_docs(relation, model, for_relation, for_columns) -%}
{%- endmacro %}

{% macro floe__create_indexes(relation) -%}
{%- endmacro %}

{% macro floe__copy_grants() -%}
  {{ return(False) }}
{%- endmacro %}

{% macro floe__get_catalog(information_schema, schemas) -%}
  {{ return(run_query(adapter.documentation_query(information_schema.database, schemas | list))) }}
{%- endmacro %}

{% macro floe__get_catalog_relations(information_schema, relations) -%}
  {%- set schemas = relations | map(attribute='schema') | unique | list -%}
  {{ return(run_query(adapter.documentation_query(information_schema.database, schemas))) }}
{%- endmacro %}

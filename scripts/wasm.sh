# shellcheck shell=bash
# Sourced by setup, site and check: which compiler makes the browser's half, and where its tools are kept.
#
# PLUMBLINE_WASM_TOOLCHAIN=rustup   rustup's wasm32-unknown-unknown target
#                         =system   Debian's rustc-web, with a standard library that setup builds from rust-web-src
#                         =auto     (default) rustup's if it is installed, else the system's

wasm_target=wasm32-unknown-unknown
tools=${XDG_CACHE_HOME:-$HOME/.cache}/plumbline/tools

# Prints wasm-opt, or fails. It takes a third off the release and is not needed otherwise.
wasm_opt() {
  command -v wasm-opt || { [[ -x end2end/node_modules/.bin/wasm-opt ]] && printf '%s\n' "$PWD/end2end/node_modules/.bin/wasm-opt"; }
}

rustup_has_wasm() {
  [[ -d "$(rustc --print sysroot)/lib/rustlib/$wasm_target/lib" ]]
}

# The folder of the standard library that setup builds for Debian's compiler, named by that compiler's version.
system_sysroot() {
  local version
  version=$(/usr/bin/rustc --version 2>/dev/null | awk '{print $2}')
  [[ -n "$version" ]] && printf '%s\n' "$tools/wasm-std-$version"
}

system_has_wasm() {
  local sysroot
  sysroot=$(system_sysroot) && [[ -f "$sysroot/complete" ]]
}

# Prints `rustup` or `system`: what builds the WASM. Fails when setup has not run.
wasm_toolchain() {
  case "${PLUMBLINE_WASM_TOOLCHAIN:-auto}" in
    rustup) rustup_has_wasm && echo rustup ;;
    system) system_has_wasm && echo system ;;
    auto) if rustup_has_wasm; then echo rustup; elif system_has_wasm; then echo system; else return 1; fi ;;
    *) echo "PLUMBLINE_WASM_TOOLCHAIN is rustup, system or auto" >&2; return 1 ;;
  esac
}

# What tests and `make run` after a one-line change download: built in seconds, larger. The profile `dev` and not one of
# its own, which would compile every procedural macro once more.
wasm_dev=(
  --config profile.dev.opt-level=1
  --config profile.dev.debug=false
  --config 'profile.dev.panic="abort"'
  --config 'profile.dev.strip="debuginfo"'
)

# Where cargo puts what it builds with that compiler. Two compilers never share a folder: cargo would not notice that
# the standard library under it has changed.
wasm_target_dir() {
  local folder=${CARGO_TARGET_DIR:-target}
  if [[ "$(wasm_toolchain)" == system ]]; then folder+=/wasm-system; fi
  printf '%s\n' "$folder"
}

# Runs cargo with that compiler.
wasm_cargo() {
  if [[ "$(wasm_toolchain)" == system ]]; then
    # The flags replace those of .cargo/config.toml, so they repeat them.
    # That compiler has no lints of its own.
    env -u RUSTC_WORKSPACE_WRAPPER CARGO_TARGET_DIR="$(wasm_target_dir)" RUSTC=/usr/bin/rustc \
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="--cfg erase_components --sysroot=$(system_sysroot)" \
      cargo "$@"
  else
    cargo "$@"
  fi
}

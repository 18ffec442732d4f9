# shellcheck shell=bash
# Sourced by setup, site and check: which compiler makes the browser's half, and where its tools are kept.
#
# PLUMBLINE_WASM_TOOLCHAIN=rustup   rustup's wasm32-unknown-unknown target
#                         =system   Debian's rustc-web, with a standard library that setup builds from rust-web-src
#                         =auto     (default) rustup's if it is installed, else the system's

wasm_target=wasm32-unknown-unknown
tools=${XDG_CACHE_HOME:-$HOME/.cache}/plumbline/tools

# The version of a package in Cargo.lock.
locked_version() {
  awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock
}

# Prints the wasm-bindgen of exactly the locked version, or fails. The versions must be equal: the two halves of its
# protocol change with every release.
wasm_bindgen() {
  local version program
  version=$(locked_version wasm-bindgen)
  for program in "$tools/wasm-bindgen-$version/bin/wasm-bindgen" "$(command -v wasm-bindgen || true)"; do
    if [[ -x "$program" && "$("$program" --version)" == "wasm-bindgen $version" ]]; then
      printf '%s\n' "$program"
      return
    fi
  done
  return 1
}

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

# Makes cargo build the browser's half with the chosen compiler, and sets `wasm_target_dir`. Two compilers never share
# a target folder: cargo would not notice that the standard library under it has changed.
use_wasm_toolchain() {
  wasm_target_dir=${CARGO_TARGET_DIR:-target}
  if [[ "$(wasm_toolchain)" == system ]]; then
    wasm_target_dir=$wasm_target_dir/wasm-system
    export RUSTC=/usr/bin/rustc
    # This variable replaces the flags of .cargo/config.toml, so it repeats them.
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="--cfg erase_components --sysroot=$(system_sysroot)"
  fi
}

// The packages as a user has them: packed, and unpacked into an empty project.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { artifacts, repository } from '../harness/server';

export interface Project {
  /** A folder in which programs find `@plumbline/sdk` and the providers' clients. */
  readonly folder: string;
  readonly packedBytes: number;
  readonly files: readonly string[];
}


const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');
const venv = join(target, 'clients-venv');

/** Of Playwright's workers, each of which has folders of its own. */
const worker = process.env.TEST_PARALLEL_INDEX ?? '0';

let wheelFolder: string | undefined;

/** `PYTHONPATH` that holds the package as pip installs its wheel, after other versions of the clients where there are any. */
export function pythonPackage(): string {
  if (wheelFolder !== undefined) return wheelFolder;
  const folder = join(artifacts, `sdk-python-${worker}`);
  rmSync(folder, { recursive: true, force: true });
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--quiet', 'install', '--no-index', '--no-deps', '--no-build-isolation'];
  execFileSync(join(venv, 'bin/python'), [...pip, '--target', folder, join(repository, 'sdk/python')]);
  return (wheelFolder = [process.env.SDK_PYTHON_CLIENTS, folder].filter(Boolean).join(':'));
}

let made: Project | undefined;

/** Packs `sdk/typescript`, which `scripts/sdk` has built. Below the folder with Node's packages, where programs find those. */
export function nodeProject(): Project {
  return (made ??= makeNodeProject());
}

function makeNodeProject(): Project {
  // `scripts/sdk versions` names a folder with other versions of the clients.
  const folder = join(process.env.SDK_NODE_CLIENTS ?? artifacts, `sdk-project-${worker}`);
  const installed = join(folder, 'node_modules/@plumbline/sdk');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  const package_ = join(repository, 'sdk/typescript');
  const packed = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: package_, encoding: 'utf8' });
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? filename);
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components', '1']);
  cpSync(join(repository, 'end2end/clients/programs'), join(folder, 'programs'), { recursive: true });
  return { folder, packedBytes: statSync(tarball).size, files: files.map(({ path }) => path) };
}

/** What a wheel, a crate or a tarball is and holds. */
export interface Packed {
  readonly bytes: number;
  readonly files: readonly string[];
}

/** The wheel as it would be uploaded. */
export function pythonWheel(): Packed {
  const folder = join(artifacts, `sdk-wheel-${worker}`);
  rmSync(folder, { recursive: true, force: true });
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--quiet', 'wheel', '--no-index', '--no-deps', '--no-build-isolation'];
  execFileSync(join(venv, 'bin/python'), [...pip, '--wheel-dir', folder, join(repository, 'sdk/python')]);
  const wheel = join(folder, readdirSync(folder)[0] ?? 'no wheel');
  const listed = execFileSync(join(venv, 'bin/python'), ['-m', 'zipfile', '--list', wheel], { encoding: 'utf8' });
  const files = listed.split('\n').slice(1).filter(Boolean).map((line) => line.split(' ')[0] ?? '');
  return { bytes: statSync(wheel).size, files };
}

/** Without the network: what it needs was fetched for the workspace. */
function cargo(folder: string, ...args: string[]): string {
  // Lints and other settings of the workspace are none of a user's.
  const { RUSTC_WORKSPACE_WRAPPER: _, ...environment } = process.env;
  return execFileSync('cargo', [...args, '--offline', '--quiet'], { cwd: folder, encoding: 'utf8', env: { ...environment, CARGO_TARGET_DIR: join(target, 'sdk-rust') } });
}

/** The crate as it would be uploaded, and the folder that it is unpacked to. */
export function rustCrate(): Packed & { folder: string } {
  // What is not committed yet is to be tested too.
  cargo(repository, 'package', '--package', 'plumbline-sdk', '--no-verify', '--allow-dirty');
  const packed = join(target, 'sdk-rust/package');
  const name = readdirSync(packed).filter((file) => file.endsWith('.crate')).at(-1) ?? 'no crate';
  const folder = join(artifacts, `sdk-rust-${worker}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', join(packed, name), '-C', folder, '--strip-components', '1']);
  const files = execFileSync('tar', ['-tzf', join(packed, name)], { encoding: 'utf8' });
  return { folder, bytes: statSync(join(packed, name)).size, files: files.split('\n').filter(Boolean).map((path) => path.slice(path.indexOf('/') + 1)) };
}

/** Programs, by name, compiled in an empty project with the crate and what its README names beside it; gives their paths. */
export function rustPrograms(programs: Record<string, string>): Record<string, string> {
  const crate = rustCrate();
  const project = join(artifacts, `sdk-rust-project-${worker}`);
  rmSync(project, { recursive: true, force: true });
  mkdirSync(join(project, 'src/bin'), { recursive: true });
  writeFileSync(
    join(project, 'Cargo.toml'),
    `[package]
name = "programs"
version = "0.0.0"
edition = "2024"

# The servers of the tests speak plain http, and compiling TLS takes half a minute.
[dependencies]
plumbline-sdk = { path = "${crate.folder}", default-features = false }
serde_json = "1"
tracing = "0.1"
tracing-subscriber = { version = "0.3", default-features = false, features = ["registry"] }
ureq = { version = "3", default-features = false, features = ["json"] }

[profile.dev]
debug = false
incremental = false

[workspace]
`,
  );
  // The versions that the workspace has.
  writeFileSync(join(project, 'Cargo.lock'), readFileSync(join(repository, 'Cargo.lock')));
  for (const [name, program] of Object.entries(programs)) writeFileSync(join(project, `src/bin/${name}.rs`), program);
  cargo(project, 'build');
  return Object.fromEntries(Object.keys(programs).map((name) => [name, join(target, 'sdk-rust/debug', name)]));
}

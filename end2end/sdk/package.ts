// The packages as a user has them: packed, and unpacked into an empty project.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { artifacts, repository } from '../harness/server';

export interface Project {
  /** A folder in which programs find `@plumbline/sdk` and the providers' clients. */
  readonly folder: string;
  readonly packedBytes: number;
  readonly files: readonly string[];
}

const venv = join(process.env.CARGO_TARGET_DIR ?? join(repository, 'target'), 'clients-venv');

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

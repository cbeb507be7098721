'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, Complaint, run } = require('./process');

/** Packages of a lock file by folder, without the root entry. */
function lockedPackages(file) {
  try {
    const { packages } = JSON.parse(fs.readFileSync(file, 'utf8'));
    return Object.entries(packages).filter(([folder]) => folder !== '');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Whether `node_modules` holds what the lock file names.
 *
 * npm notes what it installed in `node_modules/.package-lock.json`. Comparing the two says more
 * than their dates, which a fresh checkout changes. A package for another platform may be absent.
 */
function packagesAreCurrent(root = ROOT) {
  const wanted = lockedPackages(path.join(root, 'package-lock.json'));
  const installed = lockedPackages(path.join(root, 'node_modules', '.package-lock.json'));
  if (!wanted || !installed) return false;
  const versions = new Map(installed.map(([folder, entry]) => [folder, entry.version]));
  return wanted.every(([folder, entry]) => {
    if (!versions.has(folder)) return Boolean(entry.optional || entry.devOptional);
    return versions.get(folder) === entry.version;
  });
}

/** Installs a folder's packages when they are missing or differ from its lock file. */
async function ensurePackages(folder = ROOT) {
  if (packagesAreCurrent(folder)) return;
  const lock = path.relative(ROOT, path.join(folder, 'package-lock.json'));
  console.log(`Installing the npm packages that ${lock} names (npm ci) …`);
  const { program, args, shell } = npmCommand();
  const code = await run(program, [...args, 'ci', '--no-audit', '--no-fund'], { cwd: folder, shell });
  if (code !== 0) throw new Complaint('npm ci failed; npm says why above.');
}

/** npm as it runs this script, else the one in PATH. */
function npmCommand() {
  const script = process.env.npm_execpath;
  if (script && /npm-cli\.c?js$/.test(script)) {
    return { program: process.execPath, args: [script], shell: false };
  }
  return { program: 'npm', args: [], shell: process.platform === 'win32' };
}

module.exports = { ensurePackages, packagesAreCurrent };

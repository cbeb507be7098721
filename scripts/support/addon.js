'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { INTERRUPTED, ROOT, Complaint, run, packageBin } = require('./process');
const { requireRust } = require('./rust');

const SOURCES = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'src'];
// The one place with the flags of the build.
const NAPI_BUILD = ['build', '--platform', '--js', 'binding.js', '--dts', 'binding.d.ts'];
// A debug and a release addon have the same file name; this remembers which one lies there.
const STAMP = path.join('target', 'addon.json');

/** Time of the last change in a file or in anything below a folder, in milliseconds. */
function lastChange(target) {
  const stat = fs.statSync(target);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const inside = fs.readdirSync(target).map((name) => lastChange(path.join(target, name)));
  return Math.max(stat.mtimeMs, ...inside);
}

/** The addon that a build for this platform left in the project's folder. */
function findAddon(root) {
  const { binaryName } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).napi;
  const prefix = `${binaryName}.${process.platform}-${process.arch}`;
  const name = fs.readdirSync(root).find((file) => file.startsWith(prefix) && file.endsWith('.node'));
  return name && path.join(root, name);
}

function builtProfile(root) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, STAMP), 'utf8')).profile;
  } catch {
    return 'unknown';
  }
}

/** Why the addon has to be built, or `null`. */
function whyBuild(profile, root = ROOT) {
  const addon = findAddon(root);
  if (!addon || !fs.existsSync(path.join(root, 'binding.js'))) return 'it is missing';
  const sources = Math.max(...SOURCES.map((name) => lastChange(path.join(root, name))));
  if (fs.statSync(addon).mtimeMs < sources) return 'its sources changed';
  return builtProfile(root) === profile ? null : `it is no ${profile} build`;
}

/** Builds the addon, `release` or `debug`. Cargo keeps what has not changed. */
async function buildAddon(profile, extra = []) {
  requireRust();
  const started = new Date();
  const flags = profile === 'release' ? ['--release'] : [];
  const args = [packageBin('@napi-rs/cli', 'napi'), ...NAPI_BUILD, ...flags, ...extra];
  const code = await run(process.execPath, args);
  if (code === INTERRUPTED) throw new Complaint('The build was interrupted.');
  if (code !== 0) {
    throw new Complaint('The addon could not be built; the compiler says why above.');
  }
  const addon = findAddon(ROOT);
  if (!addon) throw new Complaint('The build left no addon for this platform.');
  // A source saved while the compiler ran is newer than the addon, and builds it again.
  fs.utimesSync(addon, started, started);
  fs.writeFileSync(path.join(ROOT, STAMP), JSON.stringify({ profile }));
}

/** Builds the release addon when it is missing, older than its sources or a debug build. */
async function ensureAddon() {
  const reason = whyBuild('release');
  if (!reason) return;
  console.log(`Building the addon (${reason}); the first build takes a few minutes …`);
  await buildAddon('release');
}

module.exports = { buildAddon, ensureAddon, findAddon, whyBuild };

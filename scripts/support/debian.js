'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { capture, run } = require('./process');
const { ensurePeers } = require('./peers');

/** Programs that some tests and the benchmark talk to, and the Debian packages that hold them. */
const PROGRAMS = { 'smtp-sink': 'postfix', 'smtp-source': 'postfix' };
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

const QUIET = {
  env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  stdio: ['ignore', 'ignore', 'inherit'],
};

/** Where a program is, also outside a user's PATH; `null` when it is not installed. */
function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), ...FOLDERS];
  return folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file)) ?? null;
}

/**
 * Installs the missing packages where that is possible: on Debian and its kin, as root. Then fetches
 * the mail servers that are not to be installed.
 *
 * @returns {Promise<string | null>} why something is still missing, or `null`
 */
async function ensureDebianPackages() {
  let updated;
  const update = () => (updated ??= run('apt-get', ['update'], QUIET));
  const reasons = [await ensurePrograms(update), await ensurePeers(update)];
  return reasons.filter(Boolean).join('; ') || null;
}

async function ensurePrograms(update) {
  const missing = Object.keys(PROGRAMS).filter((name) => !findProgram(name));
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map((name) => PROGRAMS[name]))];
  const without = `${missing.join(', ')} missing`;
  if (capture('apt-get', ['--version']) === null) return `${without}, and there is no apt-get`;
  if (process.getuid?.() !== 0) return `${without}; as root: apt-get install ${packages.join(' ')}`;
  console.log(`Installing the Debian packages ${packages.join(', ')} …`);
  await update();
  const code = await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], QUIET);
  return code === 0 ? null : `${without}; apt-get ended with ${code}`;
}

module.exports = { ensureDebianPackages, findProgram };

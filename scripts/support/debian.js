'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { capture, run } = require('./process');

/** Programs that some tests and the benchmark talk to, and the Debian packages that hold them. */
const PROGRAMS = { 'smtp-sink': 'postfix', 'smtp-source': 'postfix' };
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Where a program is, also outside a user's PATH; `null` when it is not installed. */
function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), ...FOLDERS];
  return folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file)) ?? null;
}

/**
 * Installs the missing packages where that is possible: on Debian and its kin, as root.
 *
 * @returns {Promise<string | null>} why something is still missing, or `null`
 */
async function ensureDebianPackages() {
  const missing = Object.keys(PROGRAMS).filter((name) => !findProgram(name));
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map((name) => PROGRAMS[name]))];
  const without = `${missing.join(', ')} missing`;
  if (capture('apt-get', ['--version']) === null) return `${without}, and there is no apt-get`;
  if (process.getuid?.() !== 0) return `${without}; as root: apt-get install ${packages.join(' ')}`;
  console.log(`Installing the Debian packages ${packages.join(', ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  await run('apt-get', ['update'], quiet);
  const code = await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], quiet);
  return code === 0 ? null : `${without}; apt-get ended with ${code}`;
}

module.exports = { ensureDebianPackages, findProgram };

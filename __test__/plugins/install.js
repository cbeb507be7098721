'use strict';

/**
 * Installs the packages of this folder when they are missing or older than their lock file. In it
 * the name `nodemailer` is an alias of postpool, so whatever requires nodemailer gets postpool.
 */

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const modified = (file) => fs.statSync(path.join(__dirname, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;

module.exports = function install() {
  if (modified('node_modules/.package-lock.json') >= modified('package-lock.json')) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // not `npm ci`: the lock file also holds postpool's own dependencies, which change without it
  execFileSync(npm, ['install', '--no-save'], { cwd: __dirname, stdio: ['ignore', 'ignore', 'inherit'] });
};

'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { findAddon } = require('../../scripts/support/addon');
const { median } = require('../statistics');

const ROOT = path.join(__dirname, '..', '..');
const TARGETS = { nodemailer: 'nodemailer', postpool: ROOT };
const PROCESSES = 7;

/** Milliseconds that `require` takes in a process of its own. */
function once(target) {
  const script = `const t = performance.now(); require(${JSON.stringify(target)}); console.log(performance.now() - t)`;
  return Number(execFileSync(process.execPath, ['-e', script], { cwd: ROOT }));
}

/** How long a library takes to load, and how large the addon is. */
function load(_one, scale) {
  const addon = findAddon(ROOT);
  const processes = Math.ceil(PROCESSES * scale);
  const times = (target) => Array.from({ length: processes }, () => once(target));
  return {
    contenders: Object.keys(TARGETS),
    facts: { processes },
    run: async (library) => ({
      load: median(times(TARGETS[library])),
      ...(library === 'postpool' && { addon: fs.statSync(addon).size }),
    }),
    stop: async () => {},
  };
}

module.exports = { load };

'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { median } = require('./statistics');

const ROOT = path.join(__dirname, '..');
const TARGETS = { nodemailer: 'nodemailer', postpool: ROOT };

/** Milliseconds that `require` takes in a process of its own. */
function once(target) {
  const script = `const t = performance.now(); require(${JSON.stringify(target)}); console.log(performance.now() - t)`;
  return Number(execFileSync(process.execPath, ['-e', script], { cwd: ROOT }));
}

/** How long both libraries take to load, in turns, and how large the addon is in octets. */
function measureLoad(rounds) {
  const times = { nodemailer: [], postpool: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [library, target] of Object.entries(TARGETS)) times[library].push(once(target));
  }
  const addon = fs.readdirSync(ROOT).find((name) => name.endsWith('.node'));
  return {
    nodemailer: median(times.nodemailer),
    postpool: median(times.postpool),
    addon: addon ? fs.statSync(path.join(ROOT, addon)).size : 0,
  };
}

/** The measurement as a line of text. */
function describeLoad({ nodemailer, postpool, addon }) {
  const megabytes = (addon / 1e6).toFixed(1);
  return `require: nodemailer ${nodemailer.toFixed(0)} ms, postpool ${postpool.toFixed(0)} ms; addon ${megabytes} MB`;
}

module.exports = { describeLoad, measureLoad };

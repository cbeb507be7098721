'use strict';

const { spawn, spawnSync } = require('node:child_process');
const path = require('node:path');

/** The folder that holds package.json. */
const ROOT = path.resolve(__dirname, '..', '..');

/** The exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** A failure whose message says what to do about it; shown without a stack. */
class Complaint extends Error {}

/**
 * Runs a program in the project's folder with the terminal's own streams.
 *
 * Ctrl-C reaches the program from the terminal; this process only waits for it to end.
 *
 * @returns {Promise<number>} its exit code
 */
function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit', ...options });
    const wait = () => {};
    process.on('SIGINT', wait);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', wait);
      resolve(code ?? (signal === 'SIGINT' ? INTERRUPTED : 1));
    });
  });
}

/** What a program prints, or `null` when it is missing or fails. */
function capture(program, args) {
  const { status, stdout } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** The script behind a command of an installed package, to be run by this very Node. */
function packageBin(name, command = name.split('/').pop()) {
  const folder = path.join(ROOT, 'node_modules', name);
  const { bin } = require(path.join(folder, 'package.json'));
  return path.join(folder, typeof bin === 'string' ? bin : bin[command]);
}

/** Runs a script's main function; its result is the exit code. */
async function main(body) {
  try {
    process.exitCode = (await body(process.argv.slice(2))) ?? 0;
  } catch (error) {
    console.error(error instanceof Complaint ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

module.exports = { INTERRUPTED, ROOT, Complaint, run, capture, packageBin, main };

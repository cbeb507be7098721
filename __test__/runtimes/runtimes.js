'use strict';

/** The runtimes that postpool is tested in, and a way to run a program in one of them. */

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { startServer } = require('../support/servers');

const HOME = path.join(__dirname, '../..');
const PACKAGES = path.join(__dirname, 'node_modules');
const PROGRAMS = path.join(__dirname, 'programs');

/** From packages that hold the program of one platform: Linux on x64. */
const RUNTIMES = [
  { name: 'Node 20', file: 'node20/bin/node' },
  { name: 'Node 22', file: 'node22/bin/node' },
  { name: 'Node 24', file: 'node24/bin/node' },
  { name: 'Node 26', file: 'node26/bin/node' },
  { name: 'Bun', file: '@oven/bun-linux-x64/bin/bun' },
  {
    name: 'Deno',
    file: '@deno/linux-x64-glibc/deno',
    args: ['run', '--allow-all', '--node-modules-dir=manual'],
  },
].map((runtime) => ({ args: [], ...runtime, file: path.join(PACKAGES, runtime.file) }));

const THIS = { name: 'this Node', file: process.execPath, args: [] };

/** Whether a runtime, or a tool that the test `needs` with it, is not installed. */
const missing = ({ file, needs = file }) => !fs.existsSync(file) || !fs.existsSync(needs);

/** A test in each runtime that is here; of the others the report says why they are not. */
function inEach(runtimes, title, body, timeout = 60000) {
  for (const runtime of runtimes) {
    if (missing(runtime)) {
      const why = `not installed: \`npm test\` does it, on Linux x64; this is ${process.platform} ${process.arch}`;
      test.skip(`${title}: ${runtime.name} (${why})`, () => {});
    } else {
      test(`${title}: ${runtime.name}`, () => body(runtime), timeout);
    }
  }
}

/** Makes `postpool` a package that programs here can require by its name. */
function link() {
  const place = path.join(PACKAGES, 'postpool');
  if (fs.existsSync(place) && fs.realpathSync(place) === fs.realpathSync(HOME)) return;
  fs.mkdirSync(PACKAGES, { recursive: true });
  try {
    fs.rmSync(place, { force: true });
    fs.symlinkSync(HOME, place, 'junction');
  } catch (err) {
    // Another test file was quicker.
    if (err.code !== 'EEXIST') throw err;
  }
}

/** Gives each test a server of its own, as `server` of what it returns; it knows nobody of that name. */
function withServer() {
  const here = {};
  const replies = { RCPT: (_, line) => (line.includes('nobody') ? '550 5.1.1 nobody here' : undefined) };
  beforeAll(link);
  beforeEach(async () => {
    here.server = await startServer({ replies });
  });
  afterEach(() => here.server.close());
  return here;
}

/**
 * Runs a program and says how it ended; one that does not end in time is killed.
 *
 * @param {{file: string, args?: string[]}} runtime
 * @param {string[]} args
 * @param {{cwd?: string, env?: object, deadline?: number}} [settings] deadline in milliseconds
 * @returns {Promise<{code: number|null, out: string, err: string}>}
 */
function run(runtime, args, { cwd = PROGRAMS, env, deadline = 30000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(runtime.file, [...(runtime.args ?? []), ...args.map(String)], {
      cwd,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), deadline);
    const seen = { out: '', err: '' };
    child.stdout.on('data', (text) => (seen.out += text));
    child.stderr.on('data', (text) => (seen.err += text));
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ...seen });
    });
  });
}

module.exports = { RUNTIMES, THIS, HOME, PACKAGES, PROGRAMS, inEach, link, missing, run, withServer };

'use strict';

// Starts the test kit's sink (testkit/) for tests and benchmarks, building it first when it is
// missing or older than its sources.

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const ROOT = path.resolve(__dirname, '../..');
const KIT = path.join(ROOT, 'testkit');
const CERT = path.join(KIT, 'certs/localhost.cert.pem');
const TARGET = process.env.CARGO_TARGET_DIR || path.join(ROOT, 'target');
const EXECUTABLE = process.platform === 'win32' ? 'sink.exe' : 'sink';

/**
 * Starts a sink on a free port of 127.0.0.1.
 *
 * `options` are the kit's settings by their Rust names in camelCase (testkit/src/config.rs):
 * `{ chunking: true, rtt: 50, script: [{ at: 'mail', do: { reply: '451 4.3.0 later' }, nth: 2 }] }`,
 * and three more: `port`, `threads` (1), `release` (false: the debug build).
 */
async function startSink(options = {}) {
  const { port = 0, threads = 1, release = false, ...config } = options;
  const args = ['--config', JSON.stringify(config), '--port', port, '--threads', threads, '--control'];
  const child = spawn(buildSink({ release }), args.map(String), { stdio: 'pipe' });
  const sink = new Sink(child);
  Object.assign(sink, await sink.ready);
  return sink;
}

/** A running sink; made by `startSink`. */
class Sink {
  constructor(child) {
    /** The built-in certificate (PEM): what `tls.ca` has to be. */
    this.ca = fs.readFileSync(CERT, 'utf8');
    this.pid = child.pid;
    this.child = child;
    this.waiting = [];
    this.ended = null;
    child.on('error', (err) => this.fail(err));
    child.stdin.on('error', () => {});
    this.ready = new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (complaint = (complaint + text).slice(-4096)));
    this.exited = new Promise((resolve) => child.once('close', resolve));
    this.exited.then(() => this.fail(new Error(`the sink has ended ${complaint}`.trim())));
    readline.createInterface({ input: child.stdout }).on('line', (line) => this.answer(JSON.parse(line)));
  }

  /** Counters; see testkit/src/stats.rs. */
  stats() {
    return this.ask({ op: 'stats' });
  }

  /** Accepted messages with their envelopes; `body` is a Buffer without dot-stuffing. */
  async messages() {
    const messages = await this.ask({ op: 'messages' });
    return messages.map((message) => ({ ...message, body: Buffer.from(message.body, 'base64') }));
  }

  /** Command lines by read, `[{ connection, commands }]`, if the sink was started with `record`. */
  reads() {
    return this.ask({ op: 'reads' });
  }

  /** Replaces the rules of the script, for open connections too. */
  script(rules) {
    return this.ask({ op: 'script', rules });
  }

  /** Replaces the account, `{ user, password, token }`; `null` for none. */
  auth(account) {
    return this.ask({ op: 'auth', account });
  }

  /** Forgets counters, messages and reads. */
  reset() {
    return this.ask({ op: 'reset' });
  }

  /** Ends the sink and all its connections. May be called twice. */
  async stop() {
    this.child.stdin.end();
    await this.exited;
  }

  ask(request) {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin.write(JSON.stringify(request) + '\n');
    });
  }

  /** Answers come in the order of their questions; the first is the port. */
  answer(line) {
    const { resolve, reject } = this.waiting.shift();
    if (line.error === undefined) resolve('result' in line ? line.result : line);
    else reject(new Error(`sink: ${line.error}`));
  }

  fail(err) {
    this.ended ||= err;
    for (const { reject } of this.waiting.splice(0)) reject(this.ended);
  }
}

/** Builds the sink if need be; returns the path of the program. */
function buildSink({ release = false } = {}) {
  const program = path.join(TARGET, release ? 'release' : 'debug', EXECUTABLE);
  if (isFresh(program)) return program;
  const args = ['build', '--quiet', '--package', 'postpool-testkit', '--bin', 'sink'];
  const cargo = spawnSync('cargo', release ? [...args, '--release'] : args, { cwd: ROOT, stdio: 'inherit' });
  if (cargo.error) throw new Error(`cargo is needed to build the test kit: ${cargo.error.message}`);
  if (cargo.status !== 0) throw new Error('the test kit does not build');
  // cargo leaves a program alone whose sources have the same content as before.
  const now = new Date();
  fs.utimesSync(program, now, now);
  return program;
}

function isFresh(program) {
  const built = modified(program);
  const sources = fs.readdirSync(path.join(KIT, 'src'), { recursive: true, withFileTypes: true });
  const files = sources
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  return [...files, path.join(KIT, 'Cargo.toml'), CERT].every((file) => modified(file) <= built);
}

function modified(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

module.exports = { startSink, buildSink };

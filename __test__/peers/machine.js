'use strict';

/**
 * A mail server in a view of its own of this machine (`machine.sh`). It sees this machine's files
 * with its packages over them, and what it writes goes away with it, but for its working folder,
 * which has the same path inside and outside.
 */

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { packagesOf, whyNoServers } = require('../../scripts/support/peers');

const SCRIPT = path.join(__dirname, 'machine.sh');
const CERTS = path.join(__dirname, '../support/certs');
/** How long a server may take to greet, in milliseconds. */
const PATIENCE = 15000;

/** The user whose mail it is, on every machine. */
const OWNER = 'box';

/**
 * @typedef {object} Peer a server, as its file describes it
 * @property {string} name
 * @property {string} [packages] its folder of packages; without one the server is installed here
 * @property {string} [program] what must be installed here, when there are no packages
 * @property {string[]} [users] users it needs
 * @property {string[]} ports names of its ports; each greets when the server is ready
 * @property {string[]} [quiet] names of ports that do not greet, because TLS comes first
 * @property {() => Promise<object>} [around] starts what it speaks to: becomes `machine.around`; `stop()` ends it
 * @property {(machine: Machine) => { read(): object[] }} [box] where its mail is read, when not in its mailboxes
 * @property {(machine: Machine) => Record<string, string>} files what is in its working folder
 * @property {(machine: Machine) => string} command a line for the shell that runs it in the foreground
 */

/** Why this server cannot run here, or `null`. */
function whyNot({ packages, program }) {
  const reason = whyNoServers();
  if (reason) return reason;
  if (program && !fs.existsSync(program)) return `${program} is not installed`;
  if (packages && !fs.existsSync(packagesOf(packages))) return 'npm test -- debian has not fetched it';
  return null;
}

/** A running server; made by `startMachine`. */
class Machine {
  constructor(peer) {
    this.peer = peer;
    /** Its working folder. */
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-peer-'));
    /** Where it puts mail. */
    this.mail = path.join(this.dir, 'mail');
    this.output = '';
  }

  /** The path of a file in the working folder. */
  path = (name) => {
    return path.join(this.dir, name);
  };

  async start() {
    const { peer } = this;
    this.around = await peer.around?.();
    this.ports = await freePorts([...peer.ports, ...(peer.quiet ?? [])]);
    fs.chmodSync(this.dir, 0o755);
    fs.mkdirSync(this.mail);
    fs.chmodSync(this.mail, 0o777);
    for (const name of ['server.pem', 'server-key.pem'])
      fs.copyFileSync(path.join(CERTS, name), this.path(name));
    fs.chmodSync(this.path('server-key.pem'), 0o600);
    for (const [name, text] of Object.entries(peer.files(this))) fs.writeFileSync(this.path(name), text);
    this.run();
    await Promise.all(peer.ports.map((name) => this.greeted(this.ports[name])));
  }

  run() {
    const { packages, users = [] } = this.peer;
    const debs = packages ? packagesOf(packages) : '';
    const inside = ['sh', SCRIPT, this.dir, debs, [OWNER, ...users].join(' ')];
    const view = ['--mount', '--pid', '--fork', '--kill-child', ...inside];
    this.child = spawn('unshare', [...view, 'sh', '-c', this.peer.command(this)], { stdio: 'pipe' });
    const keep = (text) => (this.output = (this.output + text).slice(-20000));
    for (const stream of [this.child.stdout, this.child.stderr]) stream.setEncoding('utf8').on('data', keep);
    this.child.stdin.on('error', () => {});
    this.gone = new Promise((resolve) => this.child.once('close', resolve));
  }

  async greeted(port) {
    const end = Date.now() + PATIENCE;
    while (!(await greets(port))) {
      if (Date.now() > end) throw new Error(`${this.peer.name} does not greet:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends the server and everything it started, and removes its files. */
  async stop() {
    this.child?.stdin.end();
    await this.gone;
    await this.around?.stop();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

/** @param {Peer} peer */
async function startMachine(peer) {
  const machine = new Machine(peer);
  try {
    await machine.start();
  } catch (error) {
    await machine.stop();
    throw error;
  }
  return machine;
}

/** Ports that nobody listens on, by name. All are held until the last is found, so that they differ. */
async function freePorts(names) {
  const listeners = await Promise.all(
    names.map(
      () =>
        new Promise((resolve) => {
          const listener = net.createServer();
          listener.listen(0, '127.0.0.1', () => resolve(listener));
        }),
    ),
  );
  const ports = listeners.map((listener) => listener.address().port);
  await Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve))));
  return Object.fromEntries(names.map((name, i) => [name, ports[i]]));
}

/** Whether a server at this port says `220`. */
function greets(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const end = (verdict) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(5000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.once('data', (text) => end(/^220/.test(text)));
  });
}

module.exports = { OWNER, startMachine, whyNot };

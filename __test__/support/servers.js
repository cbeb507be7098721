'use strict';

/**
 * SMTP, LMTP and proxy servers for tests, scripted from JavaScript and made to be slow, rude or
 * wrong on demand. They record everything a client says. They are no mail servers: nothing is
 * delivered, and every limit a real server has is left to the script.
 */

const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');

/** Ends the connection politely. */
const FIN = Symbol('fin');
/** Ends the connection with a reset. */
const RST = Symbol('rst');
/** Answers nothing at all. */
const SILENCE = Symbol('silence');
/** A reply that goes out after a wait. */
const after = (ms, reply) => ({ ms, reply });

const certificates = path.join(__dirname, 'certs');
/** Reads a file of the test certificates: `ca`, `server`, `self`, `other`, `expired`, `client`. */
const pem = (name) => fs.readFileSync(path.join(certificates, `${name}.pem`));
const identity = (name = 'server') => ({ cert: pem(name), key: pem(`${name}-key`) });

const LINE = Buffer.from('\r\n');
const END = Buffer.from('\r\n.\r\n');

/**
 * @typedef {object} Script
 * @property {string[]} [capabilities] EHLO lines beside the greeting line
 * @property {boolean} [lmtp] LHLO, and one reply a recipient after the data
 * @property {boolean} [secure] TLS from the first byte
 * @property {boolean} [starttls] offers STARTTLS, and then AUTH only inside
 * @property {string} [injects] what is sent in the clear right after the answer to STARTTLS
 * @property {object} [tls] options of the server's side of TLS
 * @property {{ methods?: string[], user?: string, pass?: string, token?: string }} [auth]
 * @property {Object<string, any>} [replies] by step: `connect`, `greeting`, `body`, a verb, or `other`
 */

/** One conversation: splits what arrives into commands and bodies, answers in order. */
class Session {
  constructor(server, socket, id) {
    this.server = server;
    this.script = server.script;
    this.id = id;
    this.commands = [];
    this.messages = 0;
    this.input = Buffer.alloc(0);
    this.mode = 'command';
    this.busy = false;
    this.ended = false;
    this.clear();
    this.attach(socket);
  }

  clear() {
    this.from = null;
    this.to = [];
    this.chunks = [];
  }

  attach(socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.input = Buffer.concat([this.input, chunk]);
      this.pump();
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => (this.ended = true));
  }

  get secure() {
    return Boolean(this.socket.encrypted);
  }

  async greet() {
    this.busy = true;
    if (!(await this.reply(this.scripted('connect')))) {
      await this.reply(this.scripted('greeting') ?? '220 test.example ESMTP');
    }
    this.busy = false;
    this.pump();
  }

  async pump() {
    if (this.busy) return;
    this.busy = true;
    while (!this.ended && (await this.step()));
    this.busy = false;
  }

  /** Takes one unit off the input; false when there is none complete. */
  async step() {
    if (this.mode === 'data') return this.takeBody();
    if (this.mode === 'bdat') return this.takeChunk();
    const end = this.input.indexOf(LINE);
    if (end < 0) return false;
    const line = this.input.subarray(0, end).toString();
    this.input = this.input.subarray(end + 2);
    this.commands.push(line);
    await this.command(line);
    return true;
  }

  async takeBody() {
    const text = Buffer.concat([LINE, this.input]);
    const end = text.indexOf(END);
    if (end < 0) return false;
    const body = text.subarray(2, end + 2);
    this.input = text.subarray(end + END.length);
    this.mode = 'command';
    await this.deliver(body.toString('latin1').replace(/^\.\./gm, '.'), body.length + 3);
    return true;
  }

  async takeChunk() {
    if (this.input.length < this.wanted) return false;
    this.chunks.push(this.input.subarray(0, this.wanted));
    this.input = this.input.subarray(this.wanted);
    this.mode = 'command';
    if (this.last) {
      const body = Buffer.concat(this.chunks);
      await this.deliver(body.toString('latin1'), body.length);
    } else {
      await this.reply('250 2.0.0 chunk taken');
    }
    return true;
  }

  async deliver(body, size) {
    if (!this.to.length) {
      this.clear();
      await this.reply('503 5.5.1 no recipients');
      return;
    }
    this.messages += 1;
    const message = { from: this.from, to: this.to, body, size };
    const answer = this.scripted('body', message);
    if (/^2/.test(leading(answer ?? '250'))) this.server.messages.push({ ...message, connection: this.id });
    const accepted = this.script.lmtp ? this.to.map(() => '250 2.0.0 delivered') : '250 2.0.0 queued';
    this.clear();
    await this.reply(answer ?? accepted);
  }

  scripted(step, ...input) {
    const reply = this.script.replies?.[step];
    return typeof reply === 'function' ? reply(this, ...input) : reply;
  }

  async command(line) {
    const verb = line.split(/[ :]/)[0].toUpperCase();
    const scripted = this.scripted(verb, line) ?? this.scripted('other', line);
    const handler = this[`on${verb}`];
    if (scripted !== undefined) {
      this.follow(verb, line, leading(scripted));
      await this.reply(scripted);
    } else if (handler) {
      await handler.call(this, line);
    } else {
      await this.reply('502 5.5.1 not known here');
    }
  }

  /** Lets a scripted answer count as what it says. */
  follow(verb, line, text) {
    if (verb === 'DATA' && /^[23]/.test(text)) this.mode = 'data';
    if (!/^2/.test(text)) return;
    if (verb === 'MAIL') this.from = line;
    if (verb === 'RCPT') this.to.push(line);
  }

  onEHLO() {
    const offered = [...(this.script.capabilities ?? ['PIPELINING', '8BITMIME'])];
    if (this.script.starttls && !this.secure) offered.push('STARTTLS');
    else if (this.script.auth) offered.push(`AUTH ${this.script.auth.methods?.join(' ') ?? 'PLAIN LOGIN'}`);
    const lines = ['test.example greets you', ...offered];
    const last = lines.length - 1;
    return this.reply(lines.map((text, i) => `250${i === last ? ' ' : '-'}${text}`).join('\r\n'));
  }

  onLHLO(line) {
    return this.onEHLO(line);
  }

  onHELO() {
    return this.reply('250 test.example');
  }

  async onSTARTTLS() {
    await this.reply(['220 2.0.0 go ahead', this.script.injects].filter(Boolean).join('\r\n'));
    this.input = Buffer.alloc(0);
    const plain = this.socket;
    plain.removeAllListeners('data');
    this.attach(new tls.TLSSocket(plain, { isServer: true, ...identity(), ...this.script.tls }));
  }

  onMAIL(line) {
    if (this.from) return this.reply('503 5.5.1 one sender at a time');
    this.from = line;
    this.to = [];
    return this.reply('250 2.1.0 sender ok');
  }

  onRCPT(line) {
    this.to.push(line);
    return this.reply('250 2.1.5 recipient ok');
  }

  onDATA() {
    if (!this.to.length) return this.reply('503 5.5.1 no recipients');
    this.mode = 'data';
    return this.reply('354 go on');
  }

  onBDAT(line) {
    const [, size, last] = line.split(' ');
    this.wanted = Number(size);
    this.last = /^LAST$/i.test(last ?? '');
    this.mode = 'bdat';
  }

  onRSET() {
    this.clear();
    return this.reply('250 2.0.0 reset');
  }

  onNOOP() {
    return this.reply('250 2.0.0 ok');
  }

  onQUIT() {
    return this.reply(['221 2.0.0 bye', FIN]);
  }

  async onAUTH(line) {
    const [, method, initial] = line.split(' ');
    const { user = 'user', pass = 'secret', token } = this.script.auth ?? {};
    let good = false;
    if (method === 'PLAIN') {
      const response = initial ?? (await this.ask(''));
      good = decode(response) === `\0${user}\0${pass}`;
    } else if (method === 'LOGIN') {
      const name = decode(await this.ask('VXNlcm5hbWU6'));
      good = decode(await this.ask('UGFzc3dvcmQ6')) === pass && name === user;
    } else if (method === 'CRAM-MD5') {
      const challenge = '<1896.697170952@test.example>';
      const answer = decode(await this.ask(Buffer.from(challenge).toString('base64')));
      good = answer === `${user} ${crypto.createHmac('md5', pass).update(challenge).digest('hex')}`;
    } else if (method === 'XOAUTH2') {
      good = decode(initial).includes(`auth=Bearer ${token}\x01`);
      if (!good) await this.ask(Buffer.from('{"status":"401"}').toString('base64'));
    }
    await this.reply(good ? '235 2.7.0 welcome' : '535 5.7.8 not you');
  }

  /** Sends a 334 challenge and waits for the line that answers it. */
  async ask(challenge) {
    await this.reply(`334 ${challenge}`);
    while (!this.ended) {
      const end = this.input.indexOf(LINE);
      if (end >= 0) {
        const line = this.input.subarray(0, end).toString();
        this.input = this.input.subarray(end + 2);
        this.commands.push(line);
        return line;
      }
      await new Promise((resolve) => {
        this.socket.once('data', () => setImmediate(resolve));
        this.socket.once('close', resolve);
      });
    }
    return '';
  }

  /** Carries a reply out; true when the conversation is over or nothing else may follow. */
  async reply(reply) {
    if (reply === undefined || this.ended) return this.ended;
    if (Array.isArray(reply)) {
      for (const part of reply) if (await this.reply(part)) return true;
      return false;
    }
    if (reply === SILENCE) return (this.ended = true);
    if (reply === FIN) this.socket.end();
    if (reply === RST) (this.socket.resetAndDestroy ?? this.socket.destroy).call(this.socket);
    if (reply === FIN || reply === RST) return (this.ended = true);
    if (reply.ms !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, reply.ms));
      return this.reply(reply.reply);
    }
    this.socket.write(Buffer.isBuffer(reply) ? reply : `${reply}\r\n`);
    return false;
  }
}

/** The first text a scripted reply sends. */
function leading(reply) {
  if (Array.isArray(reply)) return leading(reply[0]);
  if (reply?.ms !== undefined) return leading(reply.reply);
  return typeof reply === 'string' || Buffer.isBuffer(reply) ? String(reply) : '';
}

const decode = (text) => Buffer.from(String(text), 'base64').toString();

/**
 * Starts a scripted server on a free port of 127.0.0.1.
 *
 * @param {Script} script
 * @returns {Promise<{ port: number, script: Script, connections: Session[], messages: object[], close(): Promise<void> }>}
 */
async function startServer(script = {}) {
  const server = { script, connections: [], messages: [], sockets: new Set() };
  const accept = (socket) => {
    const session = new Session(server, socket, server.connections.length + 1);
    server.connections.push(session);
    session.greet();
  };
  const listener = script.secure
    ? tls.createServer({ ...identity(), ...script.tls }, accept)
    : net.createServer({ noDelay: true }, accept);
  listener.on('tlsClientError', () => {});
  return listen(server, listener, script.address);
}

/**
 * Starts a proxy that speaks HTTP CONNECT or SOCKS 5 and joins every request to `target`.
 *
 * @param {{ kind: 'http' | 'socks5', target: number, status?: string, user?: string, pass?: string }} script
 */
async function startProxy(script) {
  const proxy = { script, requests: [], connections: [], messages: [], sockets: new Set() };
  const listener = net.createServer((socket) => {
    socket.on('error', () => {});
    proxy.sockets.add(socket);
    socket.once('data', (head) => (script.kind === 'http' ? viaHttp : viaSocks)(proxy, socket, head));
  });
  return listen(proxy, listener);
}

function viaHttp(proxy, socket, head) {
  const request = head.toString();
  proxy.requests.push(request);
  if (proxy.script.silent) return;
  if (proxy.script.raw !== undefined) {
    socket.end(proxy.script.raw);
    return;
  }
  if (proxy.script.status) {
    socket.end(`HTTP/1.1 ${proxy.script.status}\r\n\r\n`);
    return;
  }
  join(proxy, socket, 'HTTP/1.1 200 Connection established\r\n\r\n');
}

function viaSocks(proxy, socket) {
  socket.write(Buffer.from([5, 0]));
  socket.once('data', (request) => {
    proxy.requests.push(`${request[1]} ${request[3]}`);
    join(proxy, socket, Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
  });
}

function join(proxy, socket, head) {
  const upstream = net.connect(proxy.script.target, '127.0.0.1', () => {
    socket.write(head);
    socket.pipe(upstream).pipe(socket);
  });
  proxy.sockets.add(upstream);
  upstream.on('error', () => socket.destroy());
}

async function listen(server, listener, address = '127.0.0.1') {
  listener.on('connection', (socket) => server.sockets.add(socket));
  await new Promise((resolve, reject) => listener.listen(0, address, resolve).once('error', reject));
  server.port = listener.address().port;
  server.close = async () => {
    for (const socket of server.sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  };
  return server;
}

module.exports = { startServer, startProxy, pem, identity, certificates, after, FIN, RST, SILENCE };

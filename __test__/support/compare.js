'use strict';

/**
 * Runs one row of the contract on one library and writes down everything a user or a server could
 * see of it, as plain JSON that two libraries can be compared by. It does not judge: what may
 * differ is decided by the rows and by the two lists below.
 */

const { startServer } = require('./servers');

/** The library that is the specification, and the one under test. */
const libraries = {
  nodemailer: require.resolve('nodemailer'),
  postpool: require.resolve(process.env.POSTPOOL_MODULE || '../..'),
};
/** Whether the specification stands in for the library under test, to prove the harness itself. */
const standIn = libraries.postpool === libraries.nodemailer;

/** Error fields that postpool adds; nodemailer's own fields must be equal. */
const ADDED_ERROR_FIELDS = ['phase', 'maybeDelivered', 'enhancedCode'];

/** What postpool may say on the wire beside what nodemailer says; see docs/differences.md. */
const WIRE_DIFFERENCES = {
  'reset-early': (commands) => commands.filter((line) => line !== 'RSET'),
  'quit-said': (commands) => commands.filter((line) => line !== 'QUIT'),
  'checked-before-connecting': (commands, refusedHere) =>
    refusedHere && commands.length === 1 && /^(EHLO|LHLO)/.test(commands[0]) ? [] : commands,
  '8bit-announced': (commands) =>
    commands.map((line) => line.replace(/^(MAIL FROM:.*?) BODY=8BITMIME/, '$1')),
  'size-announced': (commands) => commands.map((line) => line.replace(/^(MAIL FROM:.*?) SIZE=\d+/, '$1')),
};

/** A message that is the same on every run; rows change fields of it. */
const MESSAGE = {
  from: 'sender@example.com',
  to: 'recipient@example.com',
  subject: 'hello',
  text: 'Hello world.\n.dot\n',
  messageId: '<fixed@example.com>',
  date: new Date('2026-01-02T03:04:05Z'),
  baseBoundary: 'fixed',
};

/** How long a row may take before it counts as hanging, in milliseconds. */
const PATIENCE = 8000;

const hung = Symbol('hung');

function patient(promise, ms = PATIENCE) {
  let timer;
  const limit = new Promise((resolve) => (timer = setTimeout(resolve, ms, hung)));
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** What a row's `run` gets: ways to send and to look, all writing to one timeline. */
class Context {
  constructor(row, library, server) {
    Object.assign(this, { row, library, server, timeline: [] });
    this.port = server?.port;
  }

  /** Adds a line to the timeline, which is compared in order. */
  note(...what) {
    this.timeline.push(
      what.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join(' '),
    );
  }

  /** Sends the standard message with changes; resolves to `{ info }` or `{ error }`, never rejects. */
  async send(changes = {}, transporter = this.transporter) {
    try {
      const info = await patient(transporter.sendMail({ ...MESSAGE, ...changes }));
      return info === hung ? 'never settles' : { info };
    } catch (error) {
      return { error };
    }
  }

  /** Resolves with the value of a promise, or with its error, or says that it hangs. */
  async outcome(promise) {
    try {
      const value = await patient(promise);
      return value === hung ? 'never settles' : { value };
    } catch (error) {
      return { error };
    }
  }

  /** Calls a function with a Node callback at its end; resolves with the callback's arguments. */
  called(call) {
    return patient(new Promise((resolve) => call((...args) => resolve(args)))).then((args) =>
      args === hung ? 'never called' : args.filter((arg) => arg !== undefined),
    );
  }

  /** Waits until `condition` holds, up to the row's patience. */
  async until(condition) {
    const end = Date.now() + PATIENCE;
    while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 2));
    return Boolean(condition());
  }
}

function createTransport(ctx, row) {
  const base = { pool: true, host: '127.0.0.1', port: ctx.port };
  const options = typeof row.options === 'function' ? row.options(ctx, base) : { ...base, ...row.options };
  return ctx.library.createTransport(options, row.defaults);
}

function listen(ctx) {
  for (const event of ctx.row.events ?? []) {
    ctx.transporter.on(event, (...args) =>
      ctx.note('event', event, ...args.map((arg) => describe(arg, ctx))),
    );
  }
}

/**
 * Runs a row and describes what happened.
 *
 * @param {string} file the library's main file
 * @param {object} row see `contract.js`
 */
async function observe(file, row) {
  const server = row.server === false ? null : await startServer(row.server);
  const ctx = new Context(row, require(file), server);
  ctx.file = file;
  ctx.message = MESSAGE;
  let outcome;
  try {
    await row.prepare?.(ctx);
    if (!row.bare) {
      ctx.transporter = createTransport(ctx, row);
      listen(ctx);
    }
    const run = row.run ?? ((c) => c.send(row.message?.(c)));
    outcome = await patient(run(ctx, ctx.transporter), PATIENCE + 2000);
    if (outcome === hung) outcome = 'hangs';
  } catch (error) {
    outcome = { thrown: error };
  }
  const seen = {
    outcome: describe(outcome, ctx),
    timeline: ctx.timeline.map((line) => mask(line, ctx)),
    ...wire(ctx, row, refusedHere(outcome)),
  };
  await patient(Promise.resolve(ctx.transporter?.close({ force: true })));
  await row.cleanup?.(ctx);
  await server?.close();
  return seen;
}

/** Whether a message failed by a check of the client's own, without an answer of the server. */
function refusedHere(outcome) {
  const { code, responseCode } = outcome?.error ?? {};
  return responseCode === undefined && ['EENVELOPE', 'EMESSAGE', 'EREQUIRETLS'].includes(code);
}

/** What the server saw, without the differences that are listed above. */
function wire(ctx, row, checked) {
  if (!ctx.server || row.wire === false) return {};
  const tidied = ctx.server.connections.map(({ commands }) =>
    Object.values(WIRE_DIFFERENCES)
      .reduce((lines, tidy) => tidy(lines, checked), commands)
      .map((line) => mask(line, ctx)),
  );
  const heard = checked ? tidied.filter((lines) => lines.length) : tidied;
  const announced = [WIRE_DIFFERENCES['size-announced'], WIRE_DIFFERENCES['8bit-announced']];
  const tidy = (line) => announced.reduce((lines, rule) => rule(lines), [line])[0];
  const messages = ctx.server.messages.map(({ connection: _, from, ...message }) =>
    describe({ from: tidy(from ?? ''), ...message }, ctx),
  );
  const order = (a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  if (row.wire === 'messages') return { messages: messages.sort(order) };
  return { connections: heard.sort(order), messages: messages.sort(order) };
}

const MASKS = [
  [/<[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}@/g, '<generated@'],
  [/--_NmP-[0-9a-f]{16}-/g, '--_NmP-boundary-'],
  [/[0-9a-f]{20}@localhost/g, 'cid@localhost'],
];

function mask(text, ctx) {
  const masks = [...MASKS, ...(ctx.row.mask ?? [])];
  const numbered = ctx.port ? [[new RegExp(`\\b${ctx.port}\\b`, 'g'), '{port}']] : [];
  return [...masks, ...numbered].reduce((all, [pattern, to]) => all.replace(pattern, to), text);
}

const TIMES = new Set(['envelopeTime', 'messageTime']);

/** A value as JSON that still tells undefined, functions, Buffers, Errors and the order of keys apart. */
function describe(value, ctx, depth = 0) {
  if (typeof value === 'string') return mask(value, ctx);
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol')
    return `{${typeof value}}`;
  if (typeof value === 'bigint' || Number.isNaN(value)) return `{${value}}`;
  if (value === ctx.port) return '{port}';
  if (value === null || typeof value !== 'object') return value;
  if (depth > 6) return '{deep}';
  if (Buffer.isBuffer(value)) return `{Buffer ${value.toString('latin1')}}`;
  if (value instanceof Date) return `{Date ${value.toISOString()}}`;
  if (value instanceof Map) return { '{Map}': describe([...value], ctx, depth + 1) };
  if (Array.isArray(value)) return value.map((item) => describe(item, ctx, depth + 1));
  const error = Object.prototype.toString.call(value) === '[object Error]';
  return error ? describeError(value, ctx, depth) : describeObject(value, ctx, depth);
}

function describeObject(value, ctx, depth) {
  const described = { '{keys}': Object.keys(value).join(' ') };
  for (const [key, item] of Object.entries(value)) {
    const time = TIMES.has(key) && Number.isInteger(item) && item >= 0;
    described[key] = time ? '{ms}' : describe(item, ctx, depth + 1);
  }
  return described;
}

function describeError(error, ctx, depth) {
  const left = new Set([...ADDED_ERROR_FIELDS, ...(ctx.row.without?.fields ?? [])]);
  const fields = Object.keys(error).filter((key) => !left.has(key));
  const described = { '{error}': error.name, message: mask(String(error.message), ctx) };
  if (error.cause !== undefined) described.cause = describe(error.cause, ctx, depth + 1);
  for (const key of fields.sort()) described[key] = describe(error[key], ctx, depth + 1);
  return described;
}

module.exports = { observe, libraries, standIn, MESSAGE, WIRE_DIFFERENCES, ADDED_ERROR_FIELDS };

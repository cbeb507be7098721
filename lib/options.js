'use strict';

const net = require('node:net');
const os = require('node:os');
const { localError } = require('./errors');
const { normaliseProxy } = require('./proxy');
const { normaliseTls } = require('./tls');

/** Longest delay a timer can have; what nodemailer takes as "never" in practice. */
const FOREVER = 2 ** 31 - 1;
const MAX_RESPONSE_SIZE = 1024 * 1024;

/** Why the native engine cannot honour the options; nodemailer's own pool can. */
class Foreign extends Error {}

/**
 * Turns a pool's options, merged as nodemailer merges them, into plain fields for the engine.
 *
 * @param {object} options nodemailer's pool options and postpool's own
 * @param {object} [mailer] the transporter; its `meta` may hold handlers of the caller's
 * @returns {{json: string, tls: object, proxyTls?: object, hosts: object[]}|{fallback: string}} what the engine is
 *   made of, or why nodemailer's pool has to do the work
 */
function engineOptions(options, mailer) {
  try {
    return native(options, mailer);
  } catch (err) {
    if (err instanceof Foreign) {
      return { fallback: err.message };
    }
    throw err;
  }
}

function native(options, mailer) {
  refuseSockets(options, mailer);
  const tls = take(normaliseTls(options));
  const proxy = take(normaliseProxy(options));
  const { tls: proxyTls, ...proxyFields } = proxy || {};
  const fields = {
    ...endpoint(options),
    ...session(options),
    ...times(options),
    ...login(options),
    proxy: proxy && proxyFields,
    pool: poolOptions(options),
  };
  return { json: JSON.stringify(fields), tls, proxyTls, hosts: fields.hosts };
}

function refuseSockets(options, mailer) {
  for (const key of ['getSocket', 'socket', 'connection', 'secured']) {
    if (options[key]) {
      throw new Foreign(key);
    }
  }
  if (typeof mailer?.transporter?.ownGetSocket === 'function') {
    throw new Foreign('getSocket');
  }
  const protocol = typeof options.proxy === 'string' && options.proxy.split(':')[0].toLowerCase();
  if (protocol && mailer?.meta?.has(`proxy_handler_${protocol}`)) {
    throw new Foreign(`proxy_handler_${protocol}`);
  }
}

function take({ native: fields, fallback }) {
  if (fallback) {
    throw new Foreign(fallback);
  }
  return fields;
}

function endpoint(options) {
  let secure = !!options.secure;
  const port = Number(options.port) || (secure ? 465 : 587);
  if (options.secure === undefined && port === 465) {
    secure = true;
  }
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Foreign('port');
  }
  const { localAddress } = options;
  if (localAddress && !net.isIP(localAddress)) {
    throw new Foreign('localAddress');
  }
  return {
    hosts: hosts(options, port),
    secure,
    servername: options.servername ? options.servername.toString() : undefined,
    localAddress: localAddress || undefined,
  };
}

/** The servers: those of `hosts`, or the one of `host`. */
function hosts({ hosts: list, host }, port) {
  if (list === undefined || list === null) {
    return [{ host: (host || 'localhost').toString(), port }];
  }
  if (!Array.isArray(list) || !list.length) {
    throw configError('hosts must be a list with at least one host');
  }
  return list.map((entry) => {
    const {
      host: name,
      port: own = port,
      servername,
    } = typeof entry === 'string' ? { host: entry } : entry || {};
    const valid = name && typeof name === 'string' && Number.isInteger(own) && own > 0 && own < 65536;
    if (!valid || (servername !== undefined && typeof servername !== 'string')) {
      throw configError('Each of hosts must be a name, or { host, port, servername }');
    }
    return { host: name, port: own, servername };
  });
}

function session(options) {
  const custom = Object.keys(options.customAuth || {}).map((key) => key.trim().toUpperCase());
  return {
    name: (options.name || ownName()).toString().replace(/[\r\n]+/g, ''),
    lmtp: !!options.lmtp,
    ignoreTLS: !!options.ignoreTLS,
    requireTLS: !!options.requireTLS,
    opportunisticTLS: !!options.opportunisticTLS,
    forceAuth: !!options.forceAuth,
    customMethods: custom.filter((key) => key),
    pipelining: pipelining(options.pipelining),
    maxResponseSize: Number(options.maxResponseSize) || MAX_RESPONSE_SIZE,
    log: !!(options.logger && (options.debug || options.transactionLog)),
  };
}

function pipelining(value) {
  if (value === undefined || value === 'auto' || value === true) {
    return undefined;
  }
  if (value === false) {
    return 0;
  }
  if (!Number.isInteger(value) || value < 1 || value > 64) {
    throw configError(`pipelining must be 'auto', false or a number from 1 to 64, not ${value}`);
  }
  return value;
}

/** The host's name if it is a full one, as nodemailer says it. */
function ownName() {
  const name = os.hostname() || '';
  if (!name.includes('.')) {
    return '[127.0.0.1]';
  }
  return net.isIPv4(name) ? `[${name}]` : name;
}

function times(options) {
  const ms = (value, standard) => Math.min(Math.max(Math.round(Number(value) || standard), 1), FOREVER);
  return {
    connectionTimeout: ms(options.connectionTimeout, 120000),
    greetingTimeout: ms(options.greetingTimeout, 30000),
    socketTimeout: ms(options.socketTimeout, 600000),
    dnsTimeout: ms(options.dnsTimeout, 30000),
  };
}

function login(options) {
  const { auth } = options;
  if (!auth) {
    return {};
  }
  const oauth2 = (auth.type || '').toString().toUpperCase() === 'OAUTH2';
  if (!oauth2 && !auth.user && !auth.pass) {
    return {};
  }
  const method = (auth.method || '').toString().trim().toUpperCase() || options.authMethod || undefined;
  return {
    auth: {
      user: (auth.user || '').toString(),
      pass: auth.pass === undefined || auth.pass === null ? undefined : auth.pass.toString(),
      oauth2,
      method: oauth2 ? undefined : method && method.toString().toUpperCase(),
    },
  };
}

function poolOptions(options) {
  const requeues = typeof options.maxRequeues === 'number' ? options.maxRequeues : 5;
  const idle = typeof options.idleTimeout === 'number' ? options.idleTimeout : 240000;
  return {
    maxConnections: count('maxConnections', options.maxConnections || 5),
    minConnections: count('minConnections', options.minConnections || 0, 0),
    maxConnecting: count('maxConnecting', options.maxConnecting || 2),
    maxMessages: Math.min(Math.max(Math.ceil(Number(options.maxMessages) || 100), 1), 2 ** 31),
    maxRequeues: requeues < 0 || requeues === Infinity ? null : Math.floor(requeues),
    idleTimeout: idle > 0 ? Math.min(Math.ceil(idle), FOREVER) : null,
    maxLifetime: span('maxLifetime', options.maxLifetime),
    rate: rate(options),
    maxRecipientsPerSecond: bound('maxRecipientsPerSecond', options.maxRecipientsPerSecond),
    maxBytesPerSecond: bound('maxBytesPerSecond', options.maxBytesPerSecond),
    maxQueue: bound('maxQueue', options.maxQueue),
    maxQueueBytes: bound('maxQueueBytes', options.maxQueueBytes),
    queueTimeout: span('queueTimeout', options.queueTimeout),
    timeout: span('timeout', options.timeout),
    lanes: lanes(options.lanes),
    retryInDoubt: !!options.retryInDoubt,
    learnLimits: options.learnLimits !== false,
    verbose: !!options.logger,
  };
}

function rate(options) {
  const limit = Number(options.rateLimit) || 0;
  if (limit <= 0) {
    return null;
  }
  const delta = Number(options.rateDelta) || 1000;
  return { limit: Math.max(Math.floor(limit), 1), delta: Math.min(Math.max(Math.ceil(delta), 1), FOREVER) };
}

function lanes(shares) {
  return Object.entries(shares || {}).map(([name, lane]) => ({
    name,
    weight: count(`lanes.${name}.weight`, lane?.weight ?? 1),
  }));
}

/**
 * Bounds that change at run time, checked.
 *
 * @param {{maxConnections?: number, minConnections?: number, rateLimit?: number}} changes
 * @param {object} options the options in force
 * @returns {{maxConnections?: number, minConnections?: number, rate?: object|null}}
 */
function resizeOptions(changes, options) {
  const { maxConnections, minConnections, rateLimit } = changes;
  const bounds = {};
  if (maxConnections !== undefined) {
    bounds.maxConnections = count('maxConnections', maxConnections);
  }
  if (minConnections !== undefined) {
    bounds.minConnections = count('minConnections', minConnections, 0);
  }
  if (rateLimit !== undefined) {
    count('rateLimit', rateLimit || 0, 0);
    bounds.rate = rate({ rateLimit, rateDelta: options.rateDelta });
  }
  return bounds;
}

/** A number of things; nodemailer would wait for ever on one that is negative. */
function count(name, value, least = 1) {
  const number = Math.ceil(Number(value));
  if (!(number >= least && number <= 2 ** 31)) {
    throw configError(`${name} must be a number of at least ${least}, not ${value}`);
  }
  return number;
}

/** An optional bound; 0 and nothing are none. */
function bound(name, value) {
  return value ? count(name, value) : null;
}

/** An optional time in milliseconds; 0 and nothing are none. */
function span(name, value) {
  return value ? Math.min(count(name, value), FOREVER) : null;
}

function configError(text) {
  return localError(text, { code: 'ECONFIG', phase: 'queue' });
}

module.exports = { configError, engineOptions, resizeOptions };

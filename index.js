'use strict';

const nodemailer = require('./lib/upstream');
const shared = require('nodemailer/lib/shared');
// Now, and not with the first pool: by then a test may have put its own in their place.
require('./lib/timers');

/**
 * nodemailer's `createTransport`. With `pool: true` the transport runs on the native engine;
 * everything else is nodemailer's own.
 *
 * @param {object|string} transporter options, a connection URL or a transport plugin
 * @param {object} [defaults] fields every message has unless it says otherwise
 */
function createTransport(transporter, defaults) {
  const options = poolOptions(transporter);
  if (!options) {
    return nodemailer.createTransport(transporter, defaults);
  }
  // Loaded with the first pool, like the addon: an application that only requires the package pays nothing.
  const { Transporter } = require('./lib/transporter');
  return new Transporter(pool(options), options, defaults);
}

/** Options that ask for a pool, with a URL's in them as nodemailer merges them. */
function poolOptions(transporter) {
  if (typeof transporter === 'string') {
    const parsed = /^(smtps?|direct):/i.test(transporter) && shared.parseConnectionUrl(transporter);
    return parsed?.pool ? parsed : null;
  }
  if (!transporter || typeof transporter !== 'object' || typeof transporter.send === 'function') {
    return null;
  }
  if (!transporter.url) {
    return transporter.pool ? transporter : null;
  }
  const parsed = shared.parseConnectionUrl(transporter.url);
  const others = shared.copyOwnKeys({}, transporter, (key) => key === 'url');
  const options = shared.assign(false, others, parsed);
  return options.pool ? options : null;
}

/** The pool as a transport object, for `nodemailer.createTransport(postpool.pool(options))`. */
function pool(options) {
  const { Pool } = require('./lib/pool');
  return new Pool(options);
}

exports.createTransport = createTransport;
exports.createTestAccount = nodemailer.createTestAccount;
exports.getTestMessageUrl = nodemailer.getTestMessageUrl;
exports.pool = pool;

// For code that was compiled from ES modules, as nodemailer's own build does it: there, but not
// among the names.
exports.default = exports;
Object.defineProperty(exports, 'default', { enumerable: false });
Object.defineProperty(exports, '__esModule', { value: true });

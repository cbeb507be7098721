'use strict';

const { Readable } = require('node:stream');
const { toError } = require('./errors');
const { keyOf } = require('./slots');

/**
 * From the native engine to nodemailer's, when a server turns out to speak a TLS that only Node's
 * library does: versions before 1.2, CBC, RSA key exchange, short keys. Nothing was sent by then.
 */

/**
 * Moves the transport, once.
 *
 * @param {import('./native').NativeBackend} backend the engine that met the server
 * @param {string} reason what its handshake failed of
 * @returns {boolean} whether nodemailer's engine works from here on
 */
function movedAway(backend, reason) {
  const { owner } = backend;
  if (owner._backend !== backend) {
    return owner._backend?.engine === 'nodemailer';
  }
  owner.logger.warn({ tnx: 'pool', reason }, 'The server needs the TLS of nodemailer: %s', reason);
  owner.moveToNodemailer('tls');
  // What waits has nothing to wait for here; what is on its way is finished.
  backend.moved = true;
  backend.native.giveBack();
  return true;
}

/** A message nothing was sent of goes to nodemailer's engine; `failure` is what the native one says of it. */
function handOver(backend, job, failure) {
  const key = keyOf(job);
  movedAway(backend, failure.message);
  backend.jobs.delete(key);
  job.rare?.stopWatching?.();
  backend.release();
  try {
    job.mail ??= givenBack(backend.native.takeBack(key) ?? { head: JSON.stringify({ e: failure }) }, job);
    backend.owner._backend.send(job);
  } catch (err) {
    job.settle(err, undefined);
  }
}

/** A message the engine gave back, composed, with what nodemailer's pool wants to know of it. */
function givenBack({ head, raw }, job) {
  const { from, to, messageId, dsn, size, use8BitMime, requireTLS, e } = JSON.parse(head);
  if (e) {
    throw toError(e);
  }
  const data = { signal: job.rare?.signal, dsn, requireTLSExtensionEnabled: requireTLS };
  const message = {
    getEnvelope: () => ({ from: from || false, to, size, use8BitMime }),
    messageId: () => messageId,
    // The pool asks for no other header.
    getHeader: () => messageId,
    createReadStream: () => Readable.from([raw]),
  };
  return { data, message };
}

module.exports = { handOver, movedAway };

'use strict';

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
  for (const job of backend.jobs.all()) {
    job.moving = true;
  }
  backend.native.close(false, 0);
  return true;
}

/** A message nothing was sent of goes to nodemailer's engine. */
function handOver(backend, job, reason) {
  movedAway(backend, reason);
  backend.jobs.delete(job.key);
  job.stopWatching?.();
  backend.release();
  try {
    backend.owner._backend.send(job);
  } catch (err) {
    job.settle(err, undefined);
  }
}

module.exports = { handOver, movedAway };

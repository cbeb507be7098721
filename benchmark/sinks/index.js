'use strict';

// Each needs something of its own, so only the one asked for is loaded.
const KINDS = {
  kit: () => require('./kit').startKit,
  'smtp-server': () => require('./smtp-server').startSmtpServer,
  'smtp-sink': () => require('./smtp-sink').startSmtpSink,
};

/**
 * Starts a server that takes mail and throws it away, in a process and on a port of its own.
 *
 * @returns {Promise<{
 *   pid: number,
 *   transport: object,
 *   counters: () => Promise<{ messages: number, bytes?: number, recipients?: number }>,
 *   stop: () => Promise<void>,
 * }>} its process; transport options that reach it; what it has taken so far, as far as it counts
 */
function startSink({ kind, ...options }) {
  return KINDS[kind]()(options);
}

module.exports = { startSink };

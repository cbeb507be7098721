'use strict';

const { startKit } = require('./kit');
const { startSmtpServer } = require('./smtp-server');
const { startSmtpSink } = require('./smtp-sink');

const KINDS = { kit: startKit, 'smtp-server': startSmtpServer, 'smtp-sink': startSmtpSink };

/**
 * Starts a server that takes mail and throws it away, in a process and on a port of its own.
 *
 * @returns {Promise<{
 *   transport: object,
 *   counters: () => Promise<{ messages: number, bytes?: number }>,
 *   stop: () => Promise<void>,
 * }>} transport options that reach it; what it has taken so far, in octets where it counts them
 */
function startSink({ kind, ...options }) {
  return KINDS[kind](options);
}

module.exports = { startSink };

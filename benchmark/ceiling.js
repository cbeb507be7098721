'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { performance } = require('node:perf_hooks');
const { findProgram } = require('../scripts/support/debian');
const { cpuTimeOfChildren } = require('./usage');

/** Postfix's load generator as a contender. */
const CEILING = 'smtp-source';

// It speaks neither TLS nor CHUNKING, waits for every reply and knows one recipient a message.
const PLAIN = new Set(['kind']);

/** Whether its figures say what a sink can take: not on a long way, with TLS or many recipients. */
function hasCeiling({ sink, burst, recipients = 1 }) {
  return Object.keys(sink).every((key) => PLAIN.has(key)) && !burst && recipients === 1;
}

/**
 * What Postfix's own load generator reaches: what the sink can take, and about the most that any
 * client could show. It composes nothing; `size` is that of its payload in octets.
 *
 * @returns {Promise<{ rate: number, cpu?: number }>} messages a second, microseconds a message
 */
async function ceiling({ port, connections, messages, size, reconnect }) {
  const shape = ['-s', connections, '-m', messages, '-l', Math.round(size)];
  const args = [...(reconnect ? [] : ['-d']), ...shape, `127.0.0.1:${port}`];
  const before = cpuTimeOfChildren();
  const started = performance.now();
  const child = spawn(findProgram(CEILING), args.map(String), { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${CEILING} ended with ${code}`);
  const after = cpuTimeOfChildren();
  return { rate: messages / seconds, ...(after !== undefined && { cpu: (after - before) / messages }) };
}

module.exports = { CEILING, ceiling, hasCeiling };

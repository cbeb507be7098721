'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { performance } = require('node:perf_hooks');
const { findProgram } = require('../scripts/support/debian');

/**
 * Messages a second that Postfix's own load generator reaches: what the sink can take, and so the
 * most that any client could show. It composes nothing.
 */
async function ceiling({ port, connections, messages, bytes }) {
  const program = findProgram('smtp-source');
  const args = ['-d', '-s', connections, '-m', messages, '-l', Math.round(bytes), `127.0.0.1:${port}`];
  const started = performance.now();
  const child = spawn(program, args.map(String), { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`smtp-source ended with ${code}`);
  return (messages / (performance.now() - started)) * 1000;
}

module.exports = { ceiling };

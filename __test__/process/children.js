'use strict';

/** Runs a program in a Node of its own and says how it ended; one that does not end is killed. */

const { spawn } = require('node:child_process');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');

/**
 * @param {string} body the program; it has `postpool`, `port` and `message`, and may await
 * @param {{port?: number, deadline?: number, args?: string[]}} [settings] deadline in milliseconds
 * @returns {Promise<{code: number|null, signal: string|null, out: string, err: string}>}
 */
function run(body, { port = 0, deadline = 10000, args = [] } = {}) {
  const program = `
    const postpool = require(${JSON.stringify(ROOT)});
    const port = ${port};
    const options = { pool: true, host: '127.0.0.1', port, ignoreTLS: true };
    const message = { from: 'sender@example.com', to: 'recipient@example.com', text: 'Hello.' };
    (async () => { ${body} })();`;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...args, '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), deadline);
    const result = { out: '', err: '' };
    child.stdout.on('data', (text) => (result.out += text));
    child.stderr.on('data', (text) => (result.err += text));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...result });
    });
  });
}

/** How a program ends that says nothing and fails at nothing. */
const QUIET = { code: 0, signal: null, out: '', err: '' };

module.exports = { run, QUIET, ROOT };

'use strict';

/** The same application in every runtime: what it sees, and what arrives. */

const path = require('node:path');
const { startServer, certificates } = require('../support/servers');
const { RUNTIMES, PROGRAMS, inEach, link, run } = require('./runtimes');

const subjects = (server) => server.messages.map(({ body }) => /^Subject: (.*)\r$/m.exec(body)[1]).sort();
const numbered = (name, count) => Array.from({ length: count }, (_, i) => `${name} ${i}`);

let plain;
let secure;
beforeAll(link);
beforeEach(async () => {
  const refusal = (_, line) => (line.includes('nobody') ? '550 5.1.1 nobody here' : undefined);
  [plain, secure] = await Promise.all([
    startServer({ replies: { RCPT: refusal } }),
    startServer({ secure: true }),
  ]);
});
afterEach(() => Promise.all([plain, secure].map((server) => server.close())));

inEach(RUNTIMES, 'an application', async (runtime) => {
  const ports = { plain: plain.port, secure: secure.port, ca: path.join(certificates, 'ca.pem') };
  const { code, out, err } = await run(runtime, [
    path.join(PROGRAMS, 'everything.mjs'),
    JSON.stringify(ports),
  ]);
  expect([code, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toEqual({
    same: true,
    pooled: {
      engine: 'native',
      fine: true,
      idle: true,
      drained: { sent: 0, failed: 0, inDoubt: 0, remaining: 0 },
    },
    tls: { engine: 'native', verified: true, closed: true },
    worker: { said: ['native', 20], code: 0 },
    refusal: {
      code: 'EENVELOPE',
      responseCode: 550,
      phase: 'envelope',
      text: "Can't send mail - all recipients were rejected: 550 5.1.1 nobody here",
    },
  });
  expect(subjects(plain)).toEqual([...numbered('pooled', 200), ...numbered('worker', 20), 'last'].sort());
  expect(subjects(secure)).toEqual(['encrypted']);
});

inEach(RUNTIMES, 'workers that are ended while they send', async (runtime) => {
  const seen = await run(runtime, [path.join(PROGRAMS, 'terminate.mjs'), plain.port]);
  expect(seen).toEqual({ code: 0, out: 'native\n', err: '' });
  expect(subjects(plain).filter((subject) => subject === 'after all')).toHaveLength(1);
  const open = plain.connections.filter((session) => !session.socket.destroyed);
  expect(open.length).toBeLessThanOrEqual(1);
});

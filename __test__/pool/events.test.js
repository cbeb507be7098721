'use strict';

const diagnostics = require('node:diagnostics_channel');
const { FIN } = require('../support/servers');
const { MESSAGE, start, sendMany, until, onEnd } = require('../support/pool');

const ONE = { maxConnections: 1 };
const NAMES = [
  'connectionCreated',
  'connectionReady',
  'connectionClosed',
  'messageQueued',
  'messageSent',
  'messageFailed',
  'messageRequeued',
];

function listen(emitter) {
  const events = [];
  for (const name of NAMES) emitter.on(name, (event) => events.push([name, event]));
  return events;
}

test('the life of a message and of its connection', async () => {
  const { server, transporter } = await start({}, ONE);
  const events = listen(transporter);
  await transporter.sendMail({ ...MESSAGE, lane: 'bulk' });
  await transporter.close();
  const place = { id: 1, host: '127.0.0.1', port: server.port };
  expect(events).toEqual([
    ['messageQueued', { id: 1, lane: 'bulk' }],
    ['connectionCreated', place],
    ['connectionReady', { ...place, duration: expect.any(Number) }],
    ['messageSent', { id: 1, lane: 'bulk', connection: 1, duration: expect.any(Number) }],
    ['connectionClosed', { ...place, reason: 'poolClosed', duration: expect.any(Number), messages: 1 }],
  ]);
});

test('a message that fails carries the error of its promise', async () => {
  const { transporter } = await start({ replies: { RCPT: '550 5.1.1 no' } }, ONE);
  const events = listen(transporter);
  const [err] = await Promise.all(sendMany(transporter, 1));
  const [, failed] = events.find(([name]) => name === 'messageFailed');
  expect(failed.error).toBe(err);
  expect(failed.duration).toBeGreaterThan(0);
});

test('a message that goes back to the queue says why and how often', async () => {
  const { transporter } = await start(
    { replies: { MAIL: (session) => (session.id === 1 ? FIN : undefined) } },
    ONE,
  );
  const events = listen(transporter);
  await transporter.sendMail(MESSAGE);
  const requeued = events.filter(([name]) => name === 'messageRequeued').map(([, event]) => event);
  expect(requeued).toEqual([{ id: 1, lane: undefined, reason: expect.stringMatching(/closed/), attempt: 1 }]);
  expect(transporter.stats().totals.requeued).toBe(1);
});

test('the pool itself tells the same', async () => {
  const { transporter } = await start({}, ONE);
  const events = listen(transporter.transporter);
  await transporter.sendMail(MESSAGE);
  expect(events.map(([name]) => name)).toContain('messageSent');
});

test('the diagnostics channels tell the same', async () => {
  const { transporter } = await start({}, ONE);
  const seen = [];
  for (const name of NAMES) {
    const take = (event) => seen.push([name, event.id]);
    diagnostics.subscribe(`postpool:${name}`, take);
    onEnd(() => diagnostics.unsubscribe(`postpool:${name}`, take));
  }
  await transporter.sendMail(MESSAGE);
  expect(seen).toEqual([
    ['messageQueued', 1],
    ['connectionCreated', 1],
    ['connectionReady', 1],
    ['messageSent', 1],
  ]);
});

test('a send can be traced, with its result or its error', async () => {
  const { transporter } = await start(
    { replies: { RCPT: (session, line) => (/bad/.test(line) ? '550 no' : undefined) } },
    ONE,
  );
  const seen = [];
  const handlers = Object.fromEntries(
    ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((phase) => [
      phase,
      ({ data, result, error }) => seen.push([phase, data.subject, result?.response ?? error?.code]),
    ]),
  );
  const channel = diagnostics.tracingChannel('postpool:send');
  channel.subscribe(handlers);
  onEnd(() => channel.unsubscribe(handlers));
  await transporter.sendMail({ ...MESSAGE, subject: 'good' });
  await transporter.sendMail({ ...MESSAGE, subject: 'bad', to: 'bad@example.com' }).catch(() => {});
  expect(seen).toEqual([
    ['start', 'good', undefined],
    ['end', 'good', undefined],
    ['asyncStart', 'good', '250 2.0.0 queued'],
    ['asyncEnd', 'good', '250 2.0.0 queued'],
    ['start', 'bad', undefined],
    ['end', 'bad', undefined],
    ['error', 'bad', 'EENVELOPE'],
    ['asyncStart', 'bad', 'EENVELOPE'],
    ['asyncEnd', 'bad', 'EENVELOPE'],
  ]);
});

test('stats shows connections, lanes, totals and the paths messages took', async () => {
  const { transporter } = await start(
    { replies: { RCPT: (session, line) => (/bad/.test(line) ? '550 no' : undefined) } },
    { ...ONE, lanes: { bulk: { weight: 1 } } },
  );
  await transporter.sendMail(MESSAGE);
  await transporter.sendMail({ ...MESSAGE, to: 'bad@example.com' }).catch(() => {});
  transporter.use('stream', (mail, done) => done());
  await transporter.sendMail(MESSAGE);
  transporter.pause();
  sendMany(transporter, 2, { lane: 'bulk' });
  await until(() => transporter.stats().queue.bulk?.length === 2);
  const stats = transporter.stats();
  expect(stats).toMatchObject({
    engine: 'native',
    pending: 2,
    totals: { sent: 2, failed: 1, inDoubt: 0, requeued: 0, rejected: { EENVELOPE: 1 } },
    composed: { native: 2 },
    handshakes: { full: 0, resumed: 0 },
  });
  expect(stats.connections).toEqual([
    {
      id: 1,
      port: expect.any(Number),
      state: 'idle',
      host: '127.0.0.1',
      age: expect.any(Number),
      messages: 3,
      bytes: expect.any(Number),
    },
  ]);
  expect(stats.latency.data.count).toBeGreaterThan(0);
  await transporter.drain();
  expect(transporter.stats()).toMatchObject({ connections: [], queue: {}, totals: { sent: 4 } });
});

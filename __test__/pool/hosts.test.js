'use strict';

const postpool = require('../..');
const { startServer } = require('../support/servers');
const { MESSAGE, sendMany, until, onEnd } = require('../support/pool');

/** Servers with these scripts, and a transporter to all of them. */
async function start(scripts, options) {
  const servers = await Promise.all(scripts.map((script) => startServer(script)));
  const hosts = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  const transporter = postpool.createTransport({ pool: true, hosts, ...options });
  onEnd(async () => {
    await transporter.close({ force: true });
    await Promise.all(servers.map((server) => server.close()));
  });
  return { servers, hosts, transporter };
}

const all = (count) => Array(count).fill('sent');

test('connections and messages spread over the hosts', async () => {
  const { servers, transporter } = await start([{}, {}], { maxConnections: 4 });
  expect(await Promise.all(sendMany(transporter, 40))).toEqual(all(40));
  const [first, second] = servers.map(({ messages }) => messages.length);
  expect(first + second).toBe(40);
  expect(Math.min(first, second)).toBeGreaterThan(5);
});

test('a host that cannot be reached costs no message, and events and stats say which host', async () => {
  const { servers, hosts, transporter } = await start([{}, {}], { port: 25, maxRequeues: 0 });
  await servers[0].close();
  const seen = [];
  for (const name of ['connectionCreated', 'connectionReady', 'connectionClosed']) {
    transporter.on(name, ({ port, reason }) => seen.push([name, port, reason]));
  }
  expect(await Promise.all(sendMany(transporter, 20))).toEqual(all(20));
  expect(seen).toContainEqual(['connectionClosed', hosts[0].port, 'connectFailed']);
  expect(seen).toContainEqual(['connectionReady', hosts[1].port, undefined]);
  const stats = transporter.stats();
  expect(stats.hosts).toEqual([
    { ...hosts[0], avoided: true, limits: {} },
    { ...hosts[1], avoided: false, limits: {} },
  ]);
  const leads = ({ state, port }) => state === 'connecting' || port === hosts[1].port;
  expect(stats.connections.every(leads)).toBe(true);
  expect(await transporter.verify()).toBe(true);
});

test('when no host can be reached the error is that of one', async () => {
  const { servers, transporter } = await start([{}, {}]);
  await Promise.all(servers.map((server) => server.close()));
  const [err] = await Promise.all(sendMany(transporter, 1));
  expect(err).toMatchObject({ code: 'ESOCKET', originalCode: 'ECONNREFUSED' });
  await expect(transporter.verify()).rejects.toMatchObject({ code: 'ESOCKET' });
});

test('a limit is learned of the host that showed it', async () => {
  let taken = 0;
  const strict = {
    replies: { MAIL: () => (++taken % 2 ? '250 ok' : '421 4.7.0 too many messages in this session') },
  };
  const { hosts, transporter } = await start([strict, {}], { maxConnections: 2 });
  const learned = [];
  transporter.on('limitLearned', (event) => learned.push(event));
  expect(await Promise.all(sendMany(transporter, 30))).toEqual(all(30));
  await until(() => learned.length > 0);
  expect(learned[0]).toMatchObject({ host: hosts[0].host, limit: 'messages', value: 1 });
  const [first, second] = transporter.stats().hosts;
  expect([first.limits.messages >= 1, second.limits]).toEqual([true, {}]);
});

test.each([
  [[]],
  ['mx.example.com'],
  [[{}]],
  [[{ host: 'a', port: 0 }]],
  [[{ host: 'a', port: '25' }]],
  [[7]],
])('hosts that are none are said so: %j', async (hosts) => {
  const transporter = postpool.createTransport({ pool: true, hosts });
  await expect(transporter.sendMail(MESSAGE)).rejects.toMatchObject({
    code: 'ECONFIG',
    phase: 'queue',
    maybeDelivered: false,
  });
  await transporter.close();
});

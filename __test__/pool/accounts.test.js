'use strict';

const { performance } = require('node:perf_hooks');
const { after } = require('../support/servers');
const { MESSAGE, start, sendMany, until } = require('../support/pool');

const OWN = { user: 'user', pass: 'secret' };
const open = { auth: {}, replies: { AUTH: '235 2.7.0 welcome' } };

/** Who logged in on each connection, and the senders of the messages it carried. */
function accounts(server) {
  const login = ({ commands }) => commands.find((line) => /^AUTH PLAIN/.test(line))?.split(' ')[2];
  return server.connections.map((session) => ({
    user: Buffer.from(login(session) ?? '', 'base64')
      .toString()
      .split('\0')[1],
    senders: [...new Set(session.commands.filter((l) => /^MAIL/.test(l)).map((l) => /<(\w+)@/.exec(l)[1]))],
  }));
}

test('mail never leaves under the wrong account', async () => {
  const { server, transporter } = await start(open, { auth: OWN, maxConnections: 2, maxMessages: 3 });
  const users = ['user', 'anna', 'bert', 'carl'];
  const sends = Array.from({ length: 80 }, (_, i) => {
    const user = users[i % 4];
    const auth = user === 'user' ? undefined : { user, pass: `of ${user}` };
    return transporter.sendMail({ ...MESSAGE, from: `${user}@example.com`, auth });
  });
  expect(transporter.pendingCount()).toBe(80);
  await Promise.all(sends);
  expect(server.messages).toHaveLength(80);
  for (const { user, senders } of accounts(server)) expect([user]).toEqual(expect.arrayContaining(senders));
});

test('the same credentials share a connection, those of the transport its own', async () => {
  const { server, transporter } = await start(open, { auth: OWN, maxConnections: 1 });
  for (const auth of [undefined, { user: 'anna', pass: 'a' }, { pass: 'a', user: 'anna' }, { ...OWN }]) {
    await transporter.sendMail({ ...MESSAGE, auth });
  }
  expect(accounts(server).map(({ user }) => user)).toEqual(['user', 'anna']);
});

test('a message adds to the credentials of the transport', async () => {
  const { server, transporter } = await start(open, { auth: { ...OWN, method: 'PLAIN' } });
  await transporter.sendMail({ ...MESSAGE, auth: { user: 'anna' } });
  expect(accounts(server).map(({ user }) => user)).toEqual(['anna']);
});

test('a wrong password of one account fails its messages alone', async () => {
  const { transporter } = await start({ auth: {} }, { auth: OWN });
  const wrong = sendMany(transporter, 3, { auth: { user: 'anna', pass: 'wrong' } });
  expect(await Promise.all(sendMany(transporter, 3))).toEqual(['sent', 'sent', 'sent']);
  for (const { code } of await Promise.all(wrong)) expect(code).toBe('EAUTH');
});

test('a pool without credentials of its own logs in for messages that bring some', async () => {
  const { server, transporter } = await start(open);
  await transporter.sendMail(MESSAGE);
  await transporter.sendMail({ ...MESSAGE, auth: { user: 'anna', pass: 'a' } });
  expect(accounts(server).map(({ user }) => user)).toEqual([undefined, 'anna']);
});

test('drain, isIdle, stats and the events include the accounts', async () => {
  const script = { ...open, replies: { ...open.replies, body: after(20, '250 2.0.0 queued') } };
  const { transporter } = await start(script, { auth: OWN, maxConnections: 1 });
  const seen = [];
  transporter.on('messageSent', ({ id }) => seen.push(id));
  transporter.on('connectionCreated', ({ account }) => seen.push(account ?? 'own'));
  const sends = sendMany(transporter, 3, { auth: { user: 'anna', pass: 'a' } });
  expect(transporter.isIdle()).toBe(false);
  await until(() => transporter.stats().connections.some(({ account }) => account === 'anna'));
  expect(transporter.stats()).toMatchObject({ pending: 3 });
  expect(await transporter.drain()).toEqual({ sent: 3, failed: 0, inDoubt: 0, remaining: 0 });
  expect(await Promise.all(sends)).toEqual(['sent', 'sent', 'sent']);
  expect(seen).toEqual(['anna', 1, 2, 3]);
  expect(transporter.stats().totals.sent).toBe(3);
});

test('rateLimit holds for all accounts together, and they take turns', async () => {
  const { transporter } = await start(open, { auth: OWN, rateLimit: 4, rateDelta: 300 });
  const order = [];
  const began = performance.now();
  const sends = ['anna', 'bert', undefined].flatMap((user) => {
    const auth = user && { user, pass: 'x' };
    const sent = sendMany(transporter, user === 'anna' ? 12 : 2, { auth });
    return sent.map((each) => each.then(() => order.push(user)));
  });
  await Promise.all(sends);
  expect(performance.now() - began).toBeGreaterThanOrEqual(900);
  expect(order.lastIndexOf('bert')).toBeLessThan(12);
  expect(order.lastIndexOf(undefined)).toBeLessThan(12);
  const { rates, latency } = transporter.stats();
  expect(rates.rateLimit.limit).toBe(4);
  expect(latency.data.count).toBe(16);
});

test("an account's pool goes when its last connection has gone", async () => {
  const { server, transporter } = await start(open, { auth: OWN, idleTimeout: 30 });
  await transporter.sendMail({ ...MESSAGE, auth: { user: 'anna', pass: 'a' } });
  const { accounts: kept } = transporter.transporter;
  expect(kept.pools.size).toBe(1);
  await until(() => kept.pools.size === 0);
  await transporter.sendMail({ ...MESSAGE, auth: { user: 'anna', pass: 'a' } });
  expect(accounts(server).map(({ user }) => user)).toEqual(['anna', 'anna']);
});

test('a hundred accounts are kept; one more takes the place of the one used least lately', async () => {
  const { transporter } = await start(open, { auth: OWN });
  const { accounts: kept } = transporter.transporter;
  const first = kept.poolFor({ user: 'number 0' });
  for (let i = 1; i < 100; i++) kept.poolFor({ user: `number ${i}` });
  expect(kept.poolFor({ user: 'number 0' })).toBe(first);
  kept.poolFor({ user: 'number 100' });
  await until(() => kept.pools.size === 100);
  expect(kept.poolFor({ user: 'number 0' })).toBe(first);
  for (const pool of kept.pools) pool.tally.pending = 1;
  expect(() => kept.poolFor({ user: 'number 101' })).toThrow(expect.objectContaining({ code: 'EQUEUEFULL' }));
});

test('after rotate an account follows the new options', async () => {
  const { server, transporter } = await start(open, { auth: OWN });
  const auth = { user: 'anna', pass: 'a' };
  await transporter.sendMail({ ...MESSAGE, auth });
  transporter.rotate({ auth: { user: 'user', pass: 'renewed' } });
  await transporter.sendMail({ ...MESSAGE, auth });
  expect(accounts(server)).toHaveLength(2);
});

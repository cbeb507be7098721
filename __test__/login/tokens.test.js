'use strict';

/** One login serves the whole pool: tokens are fetched once, wrong passwords tried once. */

const { MESSAGE, start, sendMany, heard } = require('../support/pool');

/** Credentials whose tokens come from `next`; `asked` counts the requests. */
function oauth2(next) {
  const state = { asked: [] };
  const provisionCallback = (user, renew, done) => {
    state.asked.push(renew);
    setImmediate(() => done(null, next(state.asked.length), Date.now() + 3600000));
  };
  return { state, auth: { type: 'OAuth2', user: 'user', provisionCallback } };
}

const issued = (token) => ({ auth: { methods: ['XOAUTH2'], token } });

test('a token is fetched once for five connections of two messages each', async () => {
  const { state, auth } = oauth2(() => 'good');
  const { server, transporter } = await start(issued('good'), { auth, maxConnections: 5, maxMessages: 2 });
  expect(await Promise.all(sendMany(transporter, 30))).toEqual(Array(30).fill('sent'));
  expect(server.connections.length).toBeGreaterThanOrEqual(15);
  expect(state.asked).toHaveLength(1);
});

test('a refused token is renewed once, however many connections were refused', async () => {
  const { state, auth } = oauth2((count) => (count === 1 ? 'stale' : 'good'));
  const { transporter } = await start(issued('good'), { auth, maxConnections: 5, maxConnecting: 5 });
  expect(await Promise.all(sendMany(transporter, 10))).toEqual(Array(10).fill('sent'));
  expect(state.asked).toEqual([false, true]);
});

test('no token fails what waits with the code of nodemailer', async () => {
  const { transporter } = await start(issued('good'), { auth: { type: 'OAuth2', user: 'user' } });
  for (const err of await Promise.all(sendMany(transporter, 5))) {
    expect(err).toMatchObject({
      code: 'EAUTH',
      originalCode: 'EOAUTH2',
      command: 'AUTH XOAUTH2',
      phase: 'auth',
    });
  }
});

test('a wrong password is tried once for twenty queued messages', async () => {
  const { server, transporter } = await start({ auth: {} }, { auth: { user: 'user', pass: 'wrong' } });
  const outcomes = await Promise.all(sendMany(transporter, 20));
  for (const err of outcomes) expect(err).toMatchObject({ code: 'EAUTH', responseCode: 535, phase: 'auth' });
  expect(heard(server, /^AUTH/)).toHaveLength(1);
});

test('a password that was wrong and is rotated works', async () => {
  const { transporter } = await start({ auth: {} }, { auth: { user: 'user', pass: 'wrong' } });
  await expect(transporter.sendMail(MESSAGE)).rejects.toMatchObject({ code: 'EAUTH' });
  transporter.rotate({ auth: { user: 'user', pass: 'secret' } });
  await transporter.sendMail(MESSAGE);
});

'use strict';

/** Logging in: every mechanism, what is refused, OAuth2 tokens, and handlers of one's own. */

const http = require('node:http');
const { FIN } = require('../../support/servers');

const GOOD = { user: 'user', pass: 'secret' };
const server = (auth = {}, replies) => ({ auth, replies });
const logsIn = (name, auth, row) => ({ name, options: { auth }, server: server(), ...row });
const methods = (...list) => ({ server: server({ methods: list }) });
const verified = (ctx, transporter) => ctx.outcome(transporter.verify());

/** A handler that speaks PLAIN in its own words and notes what it was given. */
const mine = (row) => (ctx) => {
  const { auth, method, extensions, authMethods, maxAllowedSize } = ctx;
  const { user, pass } = auth.credentials;
  row.note(method, extensions, authMethods, maxAllowedSize, Object.keys(auth).sort(), auth.type);
  ctx.sendCommand(`AUTH PLAIN ${Buffer.from(`\0${user}\0${pass}`).toString('base64')}`, (err, reply) => {
    row.note(reply);
    if (reply.status === 235) ctx.resolve();
    else ctx.reject(new Error('my own words'));
  });
};
const custom = (name, handler, auth, key = 'MINE') => ({
  name: `customAuth ${name}`,
  options: (ctx, base) => ({
    ...base,
    auth: { type: 'custom', method: 'MINE', ...GOOD, ...auth },
    customAuth: { [key]: handler(ctx) },
  }),
  server: server({ methods: ['MINE', 'PLAIN'] }),
});

const token = (name, auth, row) => ({
  name: `oauth2 ${name}`,
  options: { auth: { type: 'OAuth2', user: 'user', ...auth } },
  server: server({ methods: ['XOAUTH2'], token: 'good' }),
  events: ['token'],
  ...row,
});

/** A token server; each request gets the next of its answers. */
const issuer = (...answers) => ({
  prepare: (ctx) =>
    new Promise((resolve) => {
      ctx.asked = [];
      ctx.issuer = http.createServer((req, res) => {
        let body = '';
        req
          .on('data', (chunk) => (body += chunk))
          .on('end', () => {
            ctx.asked.push(body);
            res.end(JSON.stringify(answers[Math.min(ctx.asked.length, answers.length) - 1]));
          });
      });
      ctx.issuer.listen(0, '127.0.0.1', resolve);
    }),
  cleanup: (ctx) => new Promise((resolve) => ctx.issuer.close(resolve)),
  options: (ctx, base) => ({
    ...base,
    auth: {
      type: 'OAuth2',
      user: 'user',
      clientId: 'id',
      clientSecret: 'cs',
      refreshToken: 'rt',
      accessUrl: `http://127.0.0.1:${ctx.issuer.address().port}/token`,
      customParams: { extra: '1' },
    },
  }),
  run: async (ctx) => [await ctx.send(), ctx.asked],
  mask: [
    [/127\.0\.0\.1:\d+/g, 'issuer'],
    [/"expires":\d+/g, '"expires":0'],
  ],
});
const grant = { access_token: 'good', expires_in: 3600, token_type: 'bearer' };

module.exports = [
  logsIn('PLAIN', GOOD, methods('PLAIN')),
  logsIn('LOGIN', GOOD, methods('LOGIN')),
  logsIn('CRAM-MD5', GOOD, methods('CRAM-MD5')),
  logsIn('PLAIN first', GOOD, methods('CRAM-MD5', 'LOGIN', 'PLAIN')),
  logsIn('method LOGIN', { ...GOOD, method: 'LOGIN' }),
  logsIn('method in lower case', { ...GOOD, method: ' login ' }),
  logsIn('method not offered', { ...GOOD, method: 'CRAM-MD5' }),
  logsIn('method unknown', { ...GOOD, method: 'NOSUCH' }),
  logsIn('type login', { ...GOOD, type: 'login' }),
  logsIn('type unknown', { ...GOOD, type: 'whatever' }),
  logsIn('no method both know', GOOD, methods('GSSAPI')),
  { name: 'authMethod', options: { auth: GOOD, authMethod: 'LOGIN' }, server: server() },
  {
    name: 'authMethod beside auth.method',
    options: { auth: { ...GOOD, method: 'PLAIN' }, authMethod: 'LOGIN' },
    server: server(),
  },
  logsIn(
    'a user and password beyond ASCII',
    { user: 'jürgen', pass: 'pässwörd€' },
    { server: server({ user: 'jürgen', pass: 'pässwörd€' }) },
  ),
  logsIn('wrong password', { user: 'user', pass: 'wrong' }),
  logsIn('wrong password by LOGIN', { user: 'user', pass: 'wrong' }, methods('LOGIN')),
  logsIn('wrong password by CRAM-MD5', { user: 'user', pass: 'wrong' }, methods('CRAM-MD5')),
  logsIn('no password', { user: 'user' }),
  logsIn('empty password', { user: 'user', pass: '' }),
  logsIn('no user', { pass: 'secret' }),
  logsIn('an empty object', {}),
  logsIn('no credentials although required', undefined, {
    server: server({}, { MAIL: '530 5.7.0 Authentication required' }),
  }),
  logsIn('a password that is a number', { user: 'user', pass: 12345 }, { server: server({ pass: '12345' }) }),
  { name: 'AUTH is not offered', options: { auth: GOOD } },
  {
    name: 'forceAuth when AUTH is not offered',
    options: { auth: GOOD, forceAuth: true },
    server: { replies: { AUTH: '235 ok' } },
  },
  {
    name: 'forceAuth refused',
    options: { auth: GOOD, forceAuth: true },
    server: { replies: { AUTH: '503 5.5.1 no' } },
  },
  { name: 'forceAuth without auth', options: { forceAuth: true }, server: server() },
  {
    name: 'verify with forceAuth and without auth',
    options: { forceAuth: true },
    server: server(),
    run: verified,
  },
  { name: 'verify logs in', options: { auth: GOOD }, server: server(), run: verified },
  {
    name: 'verify with a wrong password',
    options: { auth: { user: 'user', pass: 'wrong' } },
    server: server(),
    run: verified,
  },
  logsIn('refused for now', GOOD, { server: server({}, { AUTH: '454 4.7.0 later' }) }),
  logsIn('refused by 421', GOOD, { server: server({}, { AUTH: ['421 4.7.0 go away', FIN] }) }),
  logsIn('closed during AUTH', GOOD, { server: server({}, { AUTH: FIN }) }),
  logsIn('LOGIN with a strange question', GOOD, {
    server: server({ methods: ['LOGIN'] }, { AUTH: '250 what' }),
  }),
  logsIn('CRAM-MD5 without a challenge', GOOD, {
    server: server({ methods: ['CRAM-MD5'] }, { AUTH: '334' }),
  }),
  logsIn('PLAIN answered by 334', GOOD, { server: server({}, { AUTH: '334 ' }) }),
  logsIn('the connection stays logged in', GOOD, {
    run: async (ctx) => [await ctx.send(), await ctx.send({ subject: '2' })],
  }),

  custom('by callback', mine),
  custom('in lower case', mine, { method: 'mine' }, 'Mine'),
  custom('refused', mine, { pass: 'wrong' }),
  custom('by promise', () => async ({ auth, sendCommand }) => {
    const { user, pass } = auth.credentials;
    const reply = await sendCommand(`AUTH PLAIN ${Buffer.from(`\0${user}\0${pass}`).toString('base64')}`);
    if (reply.status !== 235) throw new Error(reply.text);
  }),
  custom('by a promise that rejects', () => () => Promise.reject(new Error('not today'))),
  custom(
    'rejecting with a string',
    () =>
      ({ reject }) =>
        reject('just words'),
  ),
  custom(
    'without talking',
    () =>
      ({ resolve }) =>
        resolve(),
  ),
  custom('replacing PLAIN', mine, { method: undefined }, 'plain'),
  custom(
    'with options',
    () =>
      ({ auth, reject }) =>
        reject(new Error(JSON.stringify(auth.credentials.options))),
    { options: { a: 1 } },
  ),
  custom('that is not in the list', mine, { method: 'OTHER' }),

  token('with an access token', { accessToken: 'good' }),
  token('with an access token that lasts', { accessToken: 'good', expires: Date.now() + 3600000 }),
  // nodemailer tries the same token twice
  token('with a bad access token and no way to renew it', { accessToken: 'bad' }, { wire: 'messages' }),
  token('with nothing', {}),
  token('without a user', { user: undefined, accessToken: 'good' }),
  token(
    'provisionCallback',
    { provisionCallback: (user, renew, done) => done(null, 'good', Date.now() + 1000000) },
    {
      mask: [[/"expires":\d+/g, '"expires":0']],
    },
  ),
  token('provisionCallback that fails', {
    provisionCallback: (user, renew, done) => done(new Error('no token for you')),
  }),
  token('provisionCallback that renews a refused token', {
    provisionCallback: (user, renew, done) => done(null, renew ? 'good' : 'bad'),
  }),
  token(
    'oauth2_provision_cb',
    {},
    {
      run: (ctx, transporter) => {
        transporter.set('oauth2_provision_cb', (user, renew, done) => done(null, 'good', 0));
        return ctx.send();
      },
    },
  ),
  {
    name: 'oauth2 from a token server',
    server: server({ methods: ['XOAUTH2'], token: 'good' }),
    events: ['token'],
    ...issuer(grant),
  },
  {
    name: 'oauth2 from a token server that refuses',
    server: server({ methods: ['XOAUTH2'], token: 'good' }),
    ...issuer({ error: 'invalid_grant', error_description: 'gone' }),
  },
  {
    name: 'oauth2 that a token server must renew',
    server: server({ methods: ['XOAUTH2'], token: 'good' }),
    ...issuer({ ...grant, access_token: 'stale' }, grant),
  },
  token('service account without a key', { serviceClient: 'service@example.com' }),
  token('service account without a user', {
    user: undefined,
    serviceClient: 'service@example.com',
    privateKey: 'x',
  }),
  token(
    'service account with a key that is none',
    { serviceClient: 'service@example.com', privateKey: 'nonsense' },
    {
      mask: [[/error:[0-9A-F]+:/g, 'error:']],
    },
  ),
  token('a token server that is not there', {
    clientId: 'a',
    clientSecret: 'b',
    refreshToken: 'c',
    accessUrl: 'http://127.0.0.1:1/',
  }),
  token('a token that has expired', { accessToken: 'good', expires: 1000 }),
  {
    name: 'oauth2 from a token server without a token',
    server: server({ methods: ['XOAUTH2'], token: 'good' }),
    ...issuer({}),
  },
  {
    name: 'oauth2 from a token server that sends no object',
    server: server({ methods: ['XOAUTH2'], token: 'good' }),
    ...issuer('text'),
  },
  {
    name: 'oauth2 verify',
    server: server({ methods: ['XOAUTH2'], token: 'good' }),
    ...issuer(grant),
    run: async (ctx, transporter) => [await ctx.outcome(transporter.verify()), ctx.asked.length],
  },
  token('offered as the only method, without OAuth2', { type: undefined, pass: 'secret' }),
];

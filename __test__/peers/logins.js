'use strict';

/** Logging in by every mechanism a server has: with what it knows, and with what it does not. */

const { TOKEN } = require('./dovecot');

/** Mechanisms that nodemailer has no word for. */
const OWN = ['SCRAM-SHA-256', 'OAUTHBEARER'];
const isToken = (method) => method.endsWith('BEARER') || method === 'XOAUTH2';

function credentials(method, user, right) {
  if (!isToken(method)) return { user, pass: right ? 'secret' : 'wrong', method };
  return { type: 'OAuth2', user, method, accessToken: right ? TOKEN : 'a-stale-token' };
}

/**
 * @param {string[]} methods
 * @param {string} user
 * @param {object} [where] `port` and `options` of every transport
 */
const logins = (methods, user, { port, options } = {}) =>
  methods.flatMap((method) => {
    const one = (right) => ({
      port,
      alone: OWN.includes(method),
      options: { ...options, maxConnections: 1, auth: credentials(method, user, right) },
    });
    return [
      { ...one(true), name: `${method}: mail is sent`, mails: [{}, {}] },
      {
        ...one(false),
        name: `${method}: what is wrong is refused`,
        sent: 0,
        mails: [{}],
        check: ([{ error }]) => {
          expect(error).toMatchObject({
            code: 'EAUTH',
            responseCode: 535,
            phase: 'auth',
            maybeDelivered: false,
          });
          expect(error.command).toMatch(/^AUTH /);
          expect(JSON.stringify([error, error.stack])).not.toMatch(/wrong|stale/);
        },
      },
    ];
  });

module.exports = { logins };

'use strict';

const { against } = require('./against');
const { submission } = require('./dovecot');
const { logins } = require('./logins');
const cases = require('./cases');

const user = 'user@peers.test';
const mechanisms = ['PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-256', 'XOAUTH2', 'OAUTHBEARER'];

against(
  submission(),
  {
    offers: ['starttls', 'chunking'],
    port: 'submission',
    options: { auth: { user, pass: 'secret' } },
  },
  [...cases, ...logins(mechanisms, user)],
);

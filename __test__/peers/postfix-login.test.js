'use strict';

const { against } = require('./against');
const { withLogin } = require('./postfix');
const { logins } = require('./logins');

const mechanisms = ['PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-256', 'XOAUTH2', 'OAUTHBEARER'];

against(
  withLogin(),
  { offers: [], masks: [[/(\d+ bytes )?queued as \w+/g, 'queued']] },
  logins(mechanisms, 'user@peers.test'),
);

'use strict';

const { against } = require('./against');
const { exim } = require('./exim');
const { logins } = require('./logins');
const cases = require('./cases');

const offers = ['starttls', 'smtps', 'smtputf8', 'dsn', 'size', 'senders', 'chunking'];

against(
  exim(),
  {
    offers,
    masks: [
      [/id=[\w-]+/g, 'id'],
      [/^250- \d+ byte chunk.*\n/, ''],
    ],
  },
  [...cases, ...logins(['PLAIN', 'LOGIN', 'CRAM-MD5'], 'user')],
);

'use strict';

/** aiosmtpd, a server in Python, from its Debian package. It offers no PIPELINING. */

const fs = require('node:fs');
const path = require('node:path');

const aiosmtpd = () => ({
  name: 'aiosmtpd',
  packages: 'aiosmtpd',
  ports: ['smtp'],
  quiet: ['smtps'],
  files: () => ({ 'server.py': fs.readFileSync(path.join(__dirname, 'aiosmtpd.py'), 'utf8') }),
  command: ({ ports, mail, path }) =>
    [
      'exec /usr/bin/python3',
      path('server.py'),
      ports.smtp,
      ports.smtps,
      `${mail}/all/new`,
      path('server.pem'),
      path('server-key.pem'),
    ].join(' '),
});

module.exports = { aiosmtpd };

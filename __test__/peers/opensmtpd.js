'use strict';

/**
 * OpenSMTPD from its Debian package: the one that offers neither PIPELINING nor CHUNKING. In clear
 * text only, because Debian's build of 6.8 fails every TLS handshake, also with OpenSSL's own client.
 */

const { OWNER } = require('./machine');

const configuration = ({ ports, mail }) => `
table boxes { "@" = "${OWNER}" }
smtp max-message-size 3000000
listen on 127.0.0.1 port ${ports.smtp} hostname mx.peers.test
action "box" maildir "${mail}/all" virtual <boxes>
match from any mail-from "refused@peers.test" for any reject
match from any for rcpt-to "refused@peers.test" reject
match from any for domain "peers.test" action "box"
`;

const opensmtpd = () => ({
  name: 'OpenSMTPD',
  packages: 'opensmtpd',
  users: ['opensmtpd', 'opensmtpq'],
  ports: ['smtp'],
  files: (machine) => ({ 'smtpd.conf': configuration(machine) }),
  command: ({ path }) =>
    [
      `install -m 600 ${path('smtpd.conf')} /etc/smtpd.conf`,
      'install -d -m 711 /var/spool/smtpd /var/empty',
      'exec smtpd -d',
    ].join('\n'),
});

module.exports = { opensmtpd };

'use strict';

/** Exim 4 from its Debian package. */

const { OWNER } = require('./machine');

const configuration = ({ ports, mail, path }, settings) => `
primary_hostname = mx.peers.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${ports.smtp} : ${ports.smtps}
tls_on_connect_ports = ${ports.smtps}
tls_advertise_hosts = *
tls_certificate = ${path('server.pem')}
tls_privatekey = /etc/exim4/key.pem
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
log_file_path = /var/log/exim4/%slog
keep_environment =
message_size_limit = 3000000
smtp_accept_queue_per_connection = 0
smtp_accept_max = 100
rfc1413_query_timeout = 0s
acl_smtp_mail = sender
acl_smtp_rcpt = recipient
${settings}

begin acl
sender:
  deny senders = refused@peers.test
       message = 5.7.1 not you
  accept
recipient:
  deny local_parts = refused
       message = 5.1.1 not here
  accept

begin routers
box:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  directory = ${mail}/all
  maildir_format
  user = ${OWNER}
  return_path_add
  envelope_to_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = \${if and{{eq{$auth2}{user}}{eq{$auth3}{secret}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{$auth1}{user}}{eq{$auth2}{secret}}}}
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{$auth1}{user}{secret}fail}
`;

/** @param {string} [settings] main options, after those above */
const exim = (settings = '') => ({
  name: 'Exim',
  packages: 'exim',
  users: ['Debian-exim'],
  ports: ['smtp'],
  quiet: ['smtps'],
  files: (machine) => ({ 'exim.conf': configuration(machine, settings) }),
  // Exim gives up its privileges when it is told another configuration than its own.
  command: ({ path }) =>
    [
      `install -D -m 644 ${path('exim.conf')} /etc/exim4/exim4.conf`,
      `install -o Debian-exim -m 600 ${path('server-key.pem')} /etc/exim4/key.pem`,
      'install -d -o Debian-exim /var/spool/exim4 /var/log/exim4',
      'exim4 -bdf -q1m & tail -q -F /var/log/exim4/mainlog 2>/dev/null',
    ].join('\n'),
});

module.exports = { exim };

'use strict';

/** Postfix, as installed here, with a queue and a configuration of its own; logins go to Dovecot. */

const { dovecot } = require('./dovecot');
const { startMachine } = require('./machine');

const lines = (settings) =>
  Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');

const main = (machine, settings) =>
  lines({
    compatibility_level: '3.6',
    maillog_file: '/dev/stdout',
    queue_directory: '/var/spool/peer',
    data_directory: '/var/lib/peer',
    myhostname: 'mx.peers.test',
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    smtpd_peername_lookup: 'no',
    smtpd_delay_reject: 'no',
    smtpd_sender_restrictions: 'check_sender_access inline:{ { refused@peers.test = 550 5.7.1 not you } }',
    smtpd_recipient_restrictions:
      'check_recipient_access inline:{ { refused@peers.test = 550 5.1.1 not here } }, permit_mynetworks, reject',
    in_flow_delay: 0,
    smtpd_error_sleep_time: 0,
    message_size_limit: 3000000,
    virtual_mailbox_limit: 0,
    virtual_mailbox_domains: 'peers.test',
    virtual_mailbox_base: machine.mail,
    virtual_mailbox_maps: 'static:all/',
    virtual_uid_maps: 'static:64200',
    virtual_gid_maps: 'static:64200',
    smtpd_tls_cert_file: machine.path('server.pem'),
    smtpd_tls_key_file: machine.path('server-key.pem'),
    smtpd_tls_security_level: 'may',
    ...settings,
  });

const services = ({ ports }) => `
127.0.0.1:${ports.smtp} inet n - n - - smtpd
127.0.0.1:${ports.smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
`;

/** @param {object} [settings] of main.cf, over those above */
const postfix = (settings) => ({
  name: 'Postfix',
  program: '/usr/sbin/postfix',
  ports: ['smtp'],
  quiet: ['smtps'],
  files: (machine) => ({ 'main.cf': main(machine, settings), 'master.cf': services(machine) }),
  command: ({ dir }) =>
    `install -d /var/spool/peer && install -d -o postfix /var/lib/peer && exec postfix -c ${dir} start-fg`,
});

/** With logins that Dovecot decides on. */
const withLogin = () => ({
  ...postfix(),
  name: "Postfix with Dovecot's logins",
  packages: 'dovecot',
  around: async () => {
    const logins = await startMachine(dovecot());
    return { logins, stop: () => logins.stop() };
  },
  files: (machine) => {
    const settings = {
      smtpd_sasl_auth_enable: 'yes',
      smtpd_sasl_type: 'dovecot',
      smtpd_sasl_path: `inet:127.0.0.1:${machine.around.logins.ports.sasl}`,
      smtpd_recipient_restrictions: 'permit_sasl_authenticated, reject',
    };
    return postfix(settings).files(machine);
  },
});

module.exports = { postfix, withLogin };

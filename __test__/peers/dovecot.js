'use strict';

/**
 * Dovecot from its Debian packages: an LMTP server, a submission service that passes mail on to a
 * relay, and the login service (SASL) that Postfix asks.
 */

const { OWNER } = require('./machine');

const TESTED = 'plain login cram-md5 scram-sha-256 xoauth2 oauthbearer';

const configuration = ({ ports, mail, path }, { relay = 1, tokens = 1 }) => ({
  'dovecot.conf': `
protocols = lmtp submission
listen = 127.0.0.1
hostname = mx.peers.test
log_path = /dev/stdout
ssl = yes
ssl_cert = <${path('server.pem')}
ssl_key = <${path('server-key.pem')}
disable_plaintext_auth = no
auth_mechanisms = ${TESTED}
auth_failure_delay = 0
mail_location = maildir:${mail}/%n
mail_plugins = quota
plugin {
  quota = maildir:User quota
}
lmtp_save_to_detail_mailbox = no
submission_relay_host = 127.0.0.1
submission_relay_port = ${relay}
submission_max_mail_size = 3000000
lmtp_add_received_header = yes
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${path('tokens.conf')}
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN ${path('users')}
}
userdb {
  driver = passwd-file
  args = ${path('users')}
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service lmtp {
  inet_listener lmtp {
    port = ${ports.lmtp}
  }
}
service submission-login {
  inet_listener submission {
    port = ${ports.submission}
  }
}
service auth {
  inet_listener {
    port = ${ports.sasl}
  }
}
`,
  'tokens.conf': `
introspection_mode = post
introspection_url = http://127.0.0.1:${tokens}/introspect
active_attribute = active
active_value = true
username_attribute = email
`,
  users: [
    ['user', ''],
    ['good', ''],
    ['other', ''],
    ['full', 'userdb_quota_rule=*:bytes=1'],
  ]
    .map(([user, extra]) => `${user}@peers.test:secret:64200:64200::/nonexistent::${extra}\n`)
    .join(''),
});

/**
 * @param {object} [around] ports of what it speaks to
 * @param {number} [around.relay] SMTP server that submitted mail goes to
 * @param {number} [around.tokens] HTTP server that says whose token this is (RFC 7662)
 */
const dovecot = (around = {}) => ({
  name: 'Dovecot',
  packages: 'dovecot',
  users: ['dovecot', 'dovenull'],
  ports: ['lmtp', 'submission'],
  quiet: ['sasl'],
  files: (machine) => configuration(machine, around),
  command: ({ path }) => `exec dovecot -F -c ${path('dovecot.conf')}`,
});

module.exports = { dovecot, OWNER };

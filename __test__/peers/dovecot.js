'use strict';

/**
 * Dovecot from its Debian packages: an LMTP server, a submission service that passes mail on to a
 * relay, and the login service (SASL) that Postfix asks.
 */

const http = require('node:http');
const { startServer } = require('../support/servers');

const TESTED = 'plain login cram-md5 scram-sha-256 xoauth2 oauthbearer';

const configuration = ({ ports, mail, path, around }) => ({
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
submission_relay_port = ${around.relay.port}
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
introspection_url = http://127.0.0.1:${around.tokens.port}/introspect
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

/** The one who owns this token, as Dovecot asks for it (RFC 7662). */
const TOKEN = 'the-right-token';

function startTokens() {
  const server = http.createServer((request, response) => {
    let form = '';
    request.setEncoding('utf8').on('data', (text) => (form += text));
    request.on('end', () => {
      const active = new URLSearchParams(form).get('token') === TOKEN;
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(active ? { active, email: 'user@peers.test' } : { active }));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ port: server.address().port, server }));
  });
}

const RELAY = {
  capabilities: ['8BITMIME'],
  replies: { RCPT: (_, line) => (line.includes('<refused@') ? '550 5.1.1 not here' : undefined) },
};

/** A relay for what is submitted, and a server that knows tokens. */
async function around() {
  const [relay, tokens] = await Promise.all([startServer(RELAY), startTokens()]);
  const stop = async () => {
    tokens.server.closeAllConnections();
    await Promise.all([relay.close(), new Promise((resolve) => tokens.server.close(resolve))]);
  };
  return { relay, tokens, stop };
}

/** What the relay was given, in the form of a mailbox. */
const relayed = ({ around: { relay } }) => ({
  read: () =>
    relay.messages.flatMap(({ from, to, body }) => {
      const text = body.replaceAll('\r\n', '\n');
      const address = (line) => line.match(/<(.*?)>/)[1];
      const id = text.match(/^Message-ID: (.*)$/im)?.[1];
      return to.map((line) => ({ id, from: address(from), to: address(line), text }));
    }),
});

const dovecot = () => ({
  name: 'Dovecot',
  packages: 'dovecot',
  users: ['dovecot', 'dovenull'],
  ports: ['lmtp', 'submission'],
  quiet: ['sasl'],
  around,
  files: configuration,
  command: ({ path }) => `exec dovecot -F -c ${path('dovecot.conf')}`,
});

/** Its submission service, which gives mail to a relay. */
const submission = () => ({ ...dovecot(), name: "Dovecot's submission service", box: relayed });

module.exports = { TOKEN, dovecot, submission };

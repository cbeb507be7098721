'use strict';

const { parseArgs } = require('node:util');

const HELP = `
npm run demo -- [options]

Sends newsletters through a pool, by default to an SMTP server of its own with STARTTLS and AUTH.

  --messages N       how many (default 1000)
  --connections N    at most so many connections (default 5)
  --help             this text

To your own server instead, where every message really arrives:

  --host NAME        its name or address
  --port N           its port (default 587, or 465 with --secure)
  --secure           TLS from the first byte
  --user NAME        name to authenticate with
  --pass SECRET      its password
  --from ADDRESS     the sender (default: --user when that is an address, else --to)
  --to ADDRESS       the recipient of all messages, needed with --host
`;

const FLAGS = {
  messages: { type: 'string', default: '1000' },
  connections: { type: 'string', default: '5' },
  host: { type: 'string' },
  port: { type: 'string' },
  secure: { type: 'boolean', default: false },
  user: { type: 'string' },
  pass: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  help: { type: 'boolean', default: false },
};

/** Flags only make sense together; this one does not. */
class UsageError extends Error {}

function count(name, text, most) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most) {
    throw new UsageError(`--${name} takes a whole number from 1 to ${most}, not ${JSON.stringify(text)}`);
  }
  return value;
}

/** What the user asks for, checked. `server` is `null` when the demo's own server is to be used. */
function readOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: FLAGS }));
  } catch (error) {
    throw new UsageError(error.message);
  }
  return {
    help: values.help,
    messages: count('messages', values.messages, 1_000_000),
    connections: count('connections', values.connections, 1000),
    server: readServer(values),
    from: values.from ?? (values.user?.includes('@') ? values.user : values.to),
    to: values.to,
  };
}

function readServer(values) {
  if (!values.host) {
    const alone = ['port', 'secure', 'user', 'pass', 'from', 'to'].find((name) => values[name]);
    if (alone) throw new UsageError(`--${alone} needs --host`);
    return null;
  }
  if (!values.to) throw new UsageError('--host needs --to, the recipient of all messages');
  if ((values.user === undefined) !== (values.pass === undefined)) {
    throw new UsageError('--user and --pass go together');
  }
  return {
    host: values.host,
    port: count('port', values.port ?? (values.secure ? '465' : '587'), 65535),
    secure: values.secure,
    ...(values.user !== undefined && { auth: { user: values.user, pass: values.pass } }),
  };
}

module.exports = { HELP, UsageError, readOptions };

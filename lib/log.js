'use strict';

const crypto = require('node:crypto');
const shared = require('nodemailer/lib/shared');

const NONE = '/* secret */';
const base64 = (text) => Buffer.from(text).toString('base64');

/**
 * The log of a pool, in nodemailer's records: the same levels, fields and texts. What only this
 * engine knows how to say is left out.
 */
class PoolLog {
  /**
   * @param {object} options the pool's options
   * @param {object} logger the pool's own logger
   */
  constructor(options, logger) {
    this.options = options;
    this.logger = logger;
    this.connections = new Map();
    this.messages = new Map();
  }

  created({ c }) {
    const action = 'conection'; // nodemailer's spelling; log filters know it so
    this.logger.info({ tnx: 'pool', cid: c, action }, 'Created new pool resource #%s', c);
  }

  ready({ c, d }) {
    const logger = this.wire(c);
    const [localAddress, localPort] = d.local || [];
    const [remoteAddress, remotePort] = d.peer || [];
    const kind = this.options.secure ? 'Secure connection' : 'Connection';
    logger.info(
      { tnx: 'network', localAddress, localPort, remoteAddress, remotePort },
      '%s established to %s:%s',
      kind,
      remoteAddress,
      remotePort,
    );
    if (d.tls && !this.options.secure) {
      logger.info({ tnx: 'smtp' }, 'Connection upgraded with STARTTLS');
    }
    logger.debug({ tnx: 'smtp' }, 'SMTP handshake finished');
    if (d.authenticated) {
      const username = this.options.auth?.user;
      const { method } = this.connections.get(c);
      logger.info(
        { tnx: 'smtp', username, action: 'authenticated', method },
        'User %s authenticated',
        JSON.stringify(username),
      );
    }
  }

  closed({ c, reason }, err) {
    const { logger } = this;
    if (err) {
      this.poolError(c, err);
    } else if (reason === 'maxMessages') {
      logger.debug({ tnx: 'pool', cid: c, action: 'maxlimit' }, 'Max messages limit exchausted for #%s', c);
    }
    logger.info({ tnx: 'connection', cid: c, action: 'closed' }, 'Connection #%s was closed', c);
    if (reason === 'poolClosed') {
      logger.info({ tnx: 'connection', cid: c, action: 'removed' }, 'Connection #%s removed', c);
    }
    this.connections.delete(c);
  }

  /** What ends a connection is told once, whoever learns of it first. */
  poolError(cid, err) {
    this.wire(cid);
    const connection = this.connections.get(cid);
    if (connection.failed) {
      return;
    }
    connection.failed = true;
    this.logger.warn({ err, tnx: 'pool', cid }, 'Pool Error for #%s: %s', cid, err.message);
  }

  /** A message has a connection. */
  assigned({ id, c, n }) {
    this.wire(c);
    this.connections.get(c).messages = n + 1;
    this.message(id).assigned = { c, n: n + 1 };
    this.introduce(id);
  }

  /** The connection begins it: now its id and its recipients are known. */
  begun({ id, mid, n, to }) {
    const recipients = n > to.length ? [...to.slice(0, 2), `...and ${n - 2} more`] : to;
    this.message(id).begun = { mid, recipients: recipients.join(', ') };
    this.introduce(id);
  }

  /** The two come from different threads, in either order. */
  introduce(id) {
    const { assigned, begun } = this.message(id);
    if (!assigned || !begun) {
      return;
    }
    this.messages.set(id, { messageId: begun.mid });
    const { c, n } = assigned;
    const bare = begun.mid.replace(/[<>\s]/g, '');
    const entry = { tnx: 'pool', cid: c, messageId: bare, action: 'assign' };
    this.logger.debug(entry, 'Assigned message <%s> to #%s (%s)', bare, c, n);
    this.logger.info(
      { tnx: 'send', messageId: begun.mid, cid: c },
      'Sending message %s using #%s to <%s>',
      begun.mid,
      c,
      begun.recipients,
    );
  }

  message(id) {
    if (!this.messages.has(id)) {
      this.messages.set(id, {});
    }
    return this.messages.get(id);
  }

  requeued({ id, attempt }, cid) {
    const messageId = (this.messages.get(id)?.messageId || '').replace(/[<>\s]/g, '');
    this.messages.delete(id);
    const entry = { tnx: 'pool', cid, messageId, action: 'requeue' };
    this.logger.debug(entry, 'Re-queued message <%s> for #%s. Attempt: #%s', messageId, cid, attempt);
  }

  /** A message was sent, or failed with `err`. */
  settled({ id, c, ms }, err, source) {
    this.messages.delete(id);
    if (!c) {
      return;
    }
    if (ms && !this.options.debug) {
      this.wire(c).info(...encoded(ms, source));
    }
    // A refused sender costs nodemailer the connection, too.
    if (err && (!/^(EENVELOPE|EMESSAGE)$/.test(err.code) || err.command === 'MAIL FROM')) {
      this.poolError(c, err);
    } else if (this.connections.get(c)?.messages < this.options.maxMessages) {
      const entry = { tnx: 'connection', cid: c, action: 'available' };
      this.logger.debug(entry, 'Connection #%s became available', c);
    }
  }

  /** Shows the bytes of a message as they go out. */
  body(job) {
    const logger = () => this.wire(job.rare?.connection);
    return {
      bytes: (bytes) => logger().debug({ tnx: 'message' }, bytes.toString('binary').replace(/\r?\n$/, '')),
      end: (size, source) => logger().info(...encoded(size, source)),
    };
  }

  /** What was said on a connection. */
  lines({ c, lines }) {
    const logger = this.wire(c);
    for (const [side, text] of lines) {
      const client = side === 'C';
      logger.debug({ tnx: client ? 'client' : 'server' }, client ? this.shown(c, text) : text);
    }
  }

  /** A line of the client's as nodemailer shows it: the user in full, the secret not. */
  shown(c, text) {
    const connection = this.connections.get(c);
    const user = (this.options.auth?.user || '').toString();
    const auth = /^AUTH (\S+)( \/\* secret \*\/)?$/.exec(text);
    if (auth) {
      connection.method = auth[1];
      connection.answers = 0;
      const initial = { PLAIN: `\0${user}\0${NONE}`, XOAUTH2: `user=${user}\x01auth=Bearer ${NONE}\x01\x01` };
      return auth[2] && initial[auth[1]] ? `AUTH ${auth[1]} ${base64(initial[auth[1]])}` : text;
    }
    if (text !== NONE) {
      return text;
    }
    const answers = { LOGIN: [user, NONE], 'CRAM-MD5': [`${user} ${NONE}`] }[connection.method];
    const answer = answers?.[connection.answers++];
    return answer === undefined ? text : base64(answer);
  }

  /** The logger of one connection, with an id of its own. */
  wire(c) {
    let connection = this.connections.get(c);
    if (!connection) {
      const component = this.options.component || 'smtp-connection';
      const sid = crypto.randomBytes(8).toString('base64').replace(/\W/g, '');
      connection = { logger: shared.getLogger(this.options, { component, sid }), answers: 0 };
      this.connections.set(c, connection);
    }
    return connection.logger;
  }
}

/** How large a message became; `source` is unknown when the engine composed it. */
function encoded(size, source) {
  if (source === undefined) {
    return [{ tnx: 'message', outByteCount: size }, '<%s bytes encoded mime message>', size];
  }
  const entry = { tnx: 'message', inByteCount: source, outByteCount: size };
  return [entry, '<%s bytes encoded mime message (source size %s bytes)>', size, source];
}

module.exports = { PoolLog };

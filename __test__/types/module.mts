/** The ESM door: default and named exports, and the modules below `lib`. */
import postpool, { createTestAccount, createTransport, getTestMessageUrl, pool } from 'postpool';
import type { PoolError, PoolOptions, SentMessageInfo, Transporter } from 'postpool';
import Mail from 'postpool/lib/mailer';
import type { Options } from 'postpool/lib/mailer';
import { parseConnectionUrl } from 'postpool/lib/shared';
import SMTPConnection from 'postpool/lib/smtp-connection';

const options: PoolOptions = { pool: true, lanes: { bulk: { weight: 1 } } };
const transporter: Transporter = createTransport({ ...options, pool: true });
const same: typeof createTransport = postpool.createTransport;
const message: Options = { to: 'a@example.com', attachments: [{ path: 'file' }] };

try {
  const info: SentMessageInfo = await transporter.sendMail(message);
  const url: string | false = getTestMessageUrl(info);
  const account = await createTestAccount();
  void [url, account.smtp.host];
} catch (error) {
  const { phase, maybeDelivered } = error as PoolError;
  if (phase === 'in-doubt') void maybeDelivered;
}

void [same, pool(options), new SMTPConnection({}), parseConnectionUrl('smtp://x').host];
void (transporter instanceof Mail);

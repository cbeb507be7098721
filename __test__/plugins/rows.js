'use strict';

/** One row for each published plugin, with the package itself. */

const crypto = require('node:crypto');
const path = require('node:path');

const templates = path.join(__dirname, 'templates');

/** Sends one message through a plugin. */
const plugin = (name, step, make, fields, row) => ({
  name,
  run: async (ctx, transporter) => {
    transporter.use(step, await make(ctx));
    return ctx.send(typeof fields === 'function' ? await fields(ctx) : fields);
  },
  ...row,
});

const { privateKey } = crypto.generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
});

/** A certificate for signing, made by the library that the plugin uses. */
function certificate() {
  const { pki } = require('node-forge');
  const key = pki.privateKeyFromPem(privateKey);
  const cert = pki.createCertificate();
  cert.publicKey = pki.setRsaPublicKey(key.n, key.e);
  cert.setSubject([{ name: 'commonName', value: 'signer' }]);
  cert.setIssuer([{ name: 'commonName', value: 'signer' }]);
  cert.sign(key);
  return { cert, key };
}

/** Keys of a recipient, made by the library that the plugin uses; `ctx.keys` is the pair. */
async function pgpKeys(ctx) {
  const { createRequire } = require('node:module');
  const openpgp = createRequire(require.resolve('nodemailer-openpgp'))('openpgp');
  ctx.openpgp = openpgp;
  ctx.keys = await openpgp.generateKey({ userIDs: [{ email: 'recipient@example.com' }], format: 'armored' });
  return require('nodemailer-openpgp').openpgpEncrypt();
}

/** An NTLM challenge: signature, type 2, empty target, flags, nonce. */
const CHALLENGE = Buffer.concat([
  Buffer.from('NTLMSSP\0'),
  Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0, 1, 2, 0, 0]),
  Buffer.from('01234567'),
  Buffer.alloc(16),
]).toString('base64');

module.exports = [
  plugin(
    'nodemailer-express-handlebars',
    'compile',
    async () => {
      const { default: handlebars } = await import('nodemailer-express-handlebars');
      const viewEngine = { partialsDir: templates, defaultLayout: false };
      return handlebars({ viewEngine, viewPath: templates });
    },
    { template: 'welcome', context: { name: 'Zoë' } },
    // an ES module, which Jest cannot load
    { isolated: true },
  ),
  plugin('nodemailer-html-to-text', 'compile', () => require('nodemailer-html-to-text').htmlToText(), {
    text: undefined,
    html: '<h1>Hello</h1><p>a <a href="https://example.com">link</a></p>',
  }),
  plugin(
    'nodemailer-plugin-inline-base64',
    'compile',
    () => require('nodemailer-plugin-inline-base64')({ cidPrefix: 'x_' }),
    {
      html: '<img src="data:image/png;base64,iVBORw0KGgo=">',
    },
    { mask: [[/x_[0-9a-f]+/g, 'x_cid']] },
  ),
  plugin(
    'nodemailer-mjml',
    'compile',
    () => require('nodemailer-mjml').nodemailerMjmlPlugin({ templateFolder: templates }),
    {
      templateName: 'welcome',
      templateData: { name: 'Zoë' },
    },
  ),
  plugin('nodemailer-markdown', 'compile', () => require('nodemailer-markdown').markdown(), {
    text: undefined,
    markdown: '# Hello\n\n*world*',
  }),
  plugin(
    'nodemailer-dkim',
    'stream',
    () => require('nodemailer-dkim').signer({ domainName: 'example.com', keySelector: 'k', privateKey }),
    {},
  ),
  plugin('nodemailer-openpgp', 'stream', pgpKeys, (ctx) => ({ encryptionKeys: [ctx.keys.publicKey] }), {
    wire: false,
    run: async (ctx, transporter) => {
      transporter.use('stream', await pgpKeys(ctx));
      const { info } = await ctx.send({ encryptionKeys: [ctx.keys.publicKey] });
      const { body } = ctx.server.messages[0];
      const { openpgp } = ctx;
      const message = await openpgp.readMessage({
        armoredMessage: body.match(/-----BEGIN PGP[\s\S]*END PGP MESSAGE-----/)[0],
      });
      const decryptionKeys = await openpgp.readPrivateKey({ armoredKey: ctx.keys.privateKey });
      const { data } = await openpgp.decrypt({ message, decryptionKeys });
      return [info.accepted, data, body.match(/^Content-Type: .*/m)[0].split(';')[0]];
    },
  }),
  plugin(
    'nodemailer-smime',
    'stream',
    () => require('nodemailer-smime')(certificate()),
    {},
    {
      mask: [[/(filename=smime\.p7s\r\n\r\n)[\s\S]*?(?=\r\n--)/, '$1signature']],
    },
  ),
  {
    name: 'nodemailer-ntlm-auth',
    wire: 'messages',
    options: (ctx, base) => ({
      ...base,
      auth: {
        type: 'custom',
        method: 'NTLM',
        user: 'user',
        pass: 'secret',
        options: { domain: 'D', workstation: 'W' },
      },
      customAuth: { NTLM: require('nodemailer-ntlm-auth') },
    }),
    server: {
      auth: { methods: ['NTLM'] },
      replies: {
        AUTH: `334 ${CHALLENGE}`,
        // the answer to the challenge is a line of base64 and no verb
        other: (session, line) => (line.startsWith('TlRMTVNTUAAD') ? '235 2.7.0 welcome' : undefined),
      },
    },
  },
];

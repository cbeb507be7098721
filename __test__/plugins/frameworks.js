'use strict';

/**
 * Libraries that require nodemailer themselves, run with postpool under that name. Each is a
 * function of a server's port; `node frameworks.js <name> <port>` prints what it gives as JSON.
 */

const os = require('node:os');
const nodemailer = require('nodemailer');

const pooled = (port) => ({ pool: true, host: '127.0.0.1', port });
const message = {
  from: 'sender@example.com',
  to: 'recipient@example.com',
  subject: 'hello',
  text: 'Hello world.',
  html: '<p>Hello</p>',
};

/** Which engine drives a transporter; undefined where it is not a pooled one of postpool. */
const engine = (transporter) => transporter.engine;

module.exports = {
  async 'nodemailer-mock'(port) {
    const { getMockFor } = require('nodemailer-mock');
    const mocked = getMockFor(nodemailer);
    const transporter = mocked.createTransport(pooled(port));
    await transporter.sendMail(message);
    const [sent] = mocked.mock.getSentMail();
    return [sent.to, sent.subject, await transporter.verify(), mocked.mock.getSentMail().length];
  },

  async 'email-templates'(port) {
    const Email = require('email-templates');
    const render = (view, locals) => Promise.resolve(`${view} for ${locals.name}`);
    const options = { message: { from: 'sender@example.com' }, send: true, preview: false, render };
    const outcomes = [];
    for (const transport of [pooled(port), nodemailer.createTransport(pooled(port))]) {
      const email = new Email({ ...options, transport });
      const info = await email.send({
        template: 'welcome',
        message: { to: message.to },
        locals: { name: 'Zoë' },
      });
      outcomes.push([info.accepted, engine(email.config.transport)]);
      email.config.transport.close();
    }
    return outcomes;
  },

  async 'preview-email'() {
    const preview = require('preview-email');
    const url = await preview(message, { dir: os.tmpdir(), open: false, openSimulator: false });
    return url.startsWith('file://');
  },

  async '@nestjs-modules/mailer'(port) {
    require('reflect-metadata');
    const { Module } = require('@nestjs/common');
    const { NestFactory } = require('@nestjs/core');
    const { MailerModule, MailerService } = require('@nestjs-modules/mailer');
    class App {}
    Module({ imports: [MailerModule.forRoot({ transport: pooled(port) })] })(App);
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    const service = app.get(MailerService);
    const info = await service.sendMail(message);
    const verified = await service.verifyAllTransporters();
    await app.close();
    return [info.accepted, verified, engine(service.transporter)];
  },
};

async function main([name, port]) {
  const outcome = await module.exports[name](Number(port));
  process.stdout.write(JSON.stringify(outcome));
}

if (require.main === module) main(process.argv.slice(2));

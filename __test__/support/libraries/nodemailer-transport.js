'use strict';

/** nodemailer with its pool handed over as a transport object. */

const nodemailer = require('nodemailer');
const SMTPPool = require('nodemailer/lib/smtp-pool');

const createTransport = (options, defaults) => nodemailer.createTransport(new SMTPPool(options), defaults);

module.exports = { ...nodemailer, createTransport };

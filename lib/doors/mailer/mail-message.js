'use strict';

module.exports = require('nodemailer/lib/mailer/mail-message');

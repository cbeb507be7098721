'use strict';

require('../../upstream');
module.exports = require('nodemailer/lib/mailer/mail-message');

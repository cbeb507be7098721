'use strict';

module.exports = require('nodemailer/lib/smtp-transport');

'use strict';

module.exports = require('nodemailer/lib/dkim/sign');

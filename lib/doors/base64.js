'use strict';

module.exports = require('nodemailer/lib/base64');

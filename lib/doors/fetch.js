'use strict';

module.exports = require('nodemailer/lib/fetch');

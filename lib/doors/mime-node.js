'use strict';

module.exports = require('nodemailer/lib/mime-node');

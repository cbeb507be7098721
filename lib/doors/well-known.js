'use strict';

require('../upstream');
module.exports = require('nodemailer/lib/well-known');

'use strict';

module.exports = require('nodemailer/lib/mime-funcs/mime-types');

'use strict';

const { contract } = require('../support/contract');

contract('differences', require('./rows/differences'));

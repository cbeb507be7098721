'use strict';

const { contract } = require('../support/contract');

contract('pool', require('./rows/pool'));

'use strict';

const install = require('./install');
const { contract } = require('../support/contract');

beforeAll(install, 300000);

contract('published plugins', require('./rows'), { file: require.resolve('./rows') });

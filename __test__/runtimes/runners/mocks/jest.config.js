'use strict';

module.exports = {
  testMatch: ['**/*.case.js'],
  testEnvironment: 'node',
  transform: {},
  moduleNameMapper: { '^nodemailer$': 'postpool' },
};

export default { test: { include: ['*.case.js'], globals: true } };

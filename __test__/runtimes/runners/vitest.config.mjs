export default { test: { include: ['*.case.{js,mjs}'], globals: true } };

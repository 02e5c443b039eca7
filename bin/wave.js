#!/usr/bin/env node
// Launcher of the command line: checks the runtime, then hands over to the compiled program.
// Keep the syntax plain: an old Node must be able to read this file far enough to print the line below.

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`wave: error: Node ${process.versions.node} is too old; wave needs Node 20.19 or newer\n`);
  process.exit(1);
}

const entry = new URL('../dist/cli/main.js', import.meta.url);
const { existsSync } = await import('node:fs');
if (!existsSync(entry)) {
  process.stderr.write('wave: error: dist/cli/main.js is missing; run `npm run build` in the package folder first\n');
  process.exit(1);
}

const { main } = await import(entry.href);
await main();

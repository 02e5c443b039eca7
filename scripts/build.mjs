// Compiles src/ to dist/: TypeScript with tsc, WebAssembly text with wabt.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import loadWabt from 'wabt';

const WASM_SOURCES = [
  'base/resize8',
  'data/augment/values',
  'data/augment/warp',
  'data/jpeg/colour',
  'data/jpeg/entropy',
  'data/jpeg/transform',
  'data/patches',
  'engine/ort/adamw',
  'wave/outer-sum',
];

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
try {
  execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.json`], {
    cwd: root,
    stdio: 'inherit',
  });
} catch {
  process.exit(1); // tsc has said why
}

const wabt = await loadWabt();
for (const name of WASM_SOURCES) {
  const module = wabt.parseWat(`${name}.wat`, readFileSync(`${root}src/${name}.wat`, 'utf8'), {
    simd: true,
    multi_value: true,
  });
  module.validate();
  writeFileSync(`${root}dist/${name}.wasm`, module.toBinary({}).buffer);
}

// Writes a file in its own process so that a test can kill it: PATH, number of tensors of 1 MiB, pause between them in
// ms. Prints "tensor" before each and the code and message of an error.
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSafetensors } from '#wave/checkpoint/index.js';

const [path, count, pause] = process.argv.slice(2);
const SIZE = 1 << 20;
const tensors = Array.from({ length: Number(count) }, (_, i) => {
  const data = async () => {
    process.stdout.write('tensor\n');
    await sleep(Number(pause));
    return new Uint8Array(SIZE).fill(i);
  };
  return [`t${i}`, { dtype: 'U8', shape: [SIZE], data }];
});
try {
  await writeSafetensors(path, tensors);
} catch (error) {
  process.stdout.write(`${error.code} ${error.message}\n`);
  process.exitCode = 1;
}

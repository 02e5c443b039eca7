import { defineConfig } from 'vitest/config';

// Tests import the compiled library as `#wave/...` (package.json "imports"), so what is tested is what is shipped,
// worker threads and WebAssembly included. `npm test` builds first.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Two at a time: the engine's own threads want the rest of the cores.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

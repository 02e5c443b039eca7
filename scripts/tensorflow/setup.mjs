// Makes engine tensorflow run where the download of @tensorflow/tfjs-node-gpu is blocked or its TensorFlow is too old: takes
// libtensorflow out of a Python wheel, which the ordinary pip client fetches, and builds the package's binding against it.
//
//   npm run tensorflow:setup                    # TensorFlow for the CPU
//   npm run tensorflow:setup -- --cuda          # TensorFlow for NVIDIA GPUs, with the CUDA libraries it needs
//   npm run tensorflow:setup -- --wheel FILE    # a wheel that is already there, instead of asking pip
//   npm run tensorflow:setup -- --force         # again, although it is there
//
// For Linux on x86-64. Needs Python 3 with pip, make and a C++ compiler. A second run says that it is there. Nothing is left
// behind half done: what is not complete is not found by the engine, and the next run begins anew.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { attempt } from './attempt.mjs';
import { fetchCuda, fetchWheel, unpack } from './wheels.mjs';

const PACKAGE = '@tensorflow/tfjs-node-gpu';
const PACKAGE_VERSION = '4.22.0';
const TENSORFLOW_VERSION = '2.21.0';
/** Room for wheel and libraries together, in GiB. */
const ROOM = { cpu: 1.5, cuda: 9 };
/** Says, beside the libraries, that all of it is done. */
const MARK = 'wave.json';

/** Start of the names of folders that the work is done in. */
const WORK = 'setup-';

const options = {
  cuda: { type: 'boolean', default: false },
  force: { type: 'boolean', default: false },
  wheel: { type: 'string' },
};

try {
  main(readArguments());
} catch (error) {
  const output = [error.stderr, error.stdout].map(String).find((text) => text.trim() !== '' && text !== 'undefined');
  const said = output?.trim().split('\n').at(-1);
  process.stderr.write(`tensorflow:setup: ${error.message.split('\n')[0]}${said ? ` (${said.trim()})` : ''}\n`);
  process.exitCode = 1;
}

function readArguments() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new Error(`${error.message}; flags: --cuda, --wheel FILE, --force`);
  }
}

function main({ cuda, force, wheel }) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `is for Linux on x86-64, this is ${process.platform} on ${process.arch}: try the package's own download, ` +
        `npm install --no-save ${PACKAGE}@${PACKAGE_VERSION}`,
    );
  }
  const variant = cuda ? 'cuda' : 'cpu';
  const start = performance.now();
  const root = projectRoot();
  const folder = join(root, 'node_modules', PACKAGE);
  const deps = join(folder, 'deps');
  if (!force && isDone(deps, variant) && computes(folder).status === 0) {
    say(`TensorFlow ${TENSORFLOW_VERSION} (${variant}) is there and computes: nothing to do`);
    return;
  }
  const python = findPython();
  const gyp = findBuildTools();
  installPackage(root, folder);
  const room = statfsSync(folder);
  const free = (room.bavail * room.bsize) / 2 ** 30;
  if (free < ROOM[variant]) {
    throw new Error(`needs ${ROOM[variant]} GiB of disk at ${folder}, ${free.toFixed(1)} GiB are free`);
  }
  // Of a run that was killed.
  for (const name of readdirSync(folder)) {
    if (name.startsWith(WORK)) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const work = mkdtempSync(join(folder, WORK));
  try {
    const next = join(work, 'deps');
    mkdirSync(join(next, 'lib'), { recursive: true });
    const file = wheel === undefined ? fetch(python, variant, join(work, 'wheels')) : resolve(wheel);
    unpack(python, file, next);
    if (cuda) say('fetching the CUDA libraries with pip');
    if (cuda) fetchCuda(python, file, join(work, 'cuda'), next);
    // Without its binding the package is not usable, so from here on the engine sees all or nothing.
    const binding = bindingPath(folder);
    rmSync(dirname(binding), { recursive: true, force: true });
    rmSync(deps, { recursive: true, force: true });
    renameSync(next, deps);
    build(gyp, folder, binding);
    buildQuiet(deps);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const check = computes(folder);
  if (check.status !== 0) {
    const lines = check.stderr.trim().split('\n');
    const line = lines.findLast((text) => /error/i.test(text)) ?? lines.at(-1);
    throw new Error(`built, but it does not compute: ${line || `ended with ${check.signal ?? check.status}`}`);
  }
  writeFileSync(join(deps, MARK), JSON.stringify({ tensorflow: TENSORFLOW_VERSION, variant }));
  say(
    `TensorFlow ${TENSORFLOW_VERSION} (${variant}) computes, after ${Math.round((performance.now() - start) / 1000)} s`,
  );
}

function say(text) {
  process.stdout.write(`tensorflow:setup: ${text}\n`);
}

/** The folder whose node_modules the package belongs into: this project, or the one that this package is installed in. */
function projectRoot() {
  const own = fileURLToPath(new URL('../..', import.meta.url));
  const at = own.indexOf('/node_modules/');
  return at === -1 ? resolve(own) : own.slice(0, at);
}

/** Installs the package, without its download, if it is absent. */
function installPackage(root, folder) {
  const installed = () => {
    try {
      return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
    } catch {
      return undefined;
    }
  };
  const before = installed();
  if (before !== undefined && before !== PACKAGE_VERSION) {
    throw new Error(`found ${PACKAGE} ${before}, needs ${PACKAGE_VERSION}: remove it and run this again`);
  }
  if (before === undefined) {
    say(`installing ${PACKAGE} ${PACKAGE_VERSION} without its download`);
    // Told as a dependency: npm leaves an optional peer alone.
    const flags = ['install', '--no-save', '--save-prod', '--ignore-scripts', '--no-audit', '--no-fund'];
    attempt(`npm could not install ${PACKAGE}`, 'npm', [...flags, `${PACKAGE}@${PACKAGE_VERSION}`], root);
    if (installed() !== PACKAGE_VERSION) throw new Error(`npm did not install ${PACKAGE} in ${root}`);
  }
}

function isDone(deps, variant) {
  try {
    const mark = JSON.parse(readFileSync(join(deps, MARK), 'utf8'));
    return mark.tensorflow === TENSORFLOW_VERSION && mark.variant === variant;
  } catch {
    return false;
  }
}

function findPython() {
  const found = ['python3', 'python'].find((name) => runs(name, ['-m', 'pip', '--version']));
  if (!found)
    throw new Error('no pip: install Python 3 with pip (apt-get install python3-pip), which fetches TensorFlow');
  return found;
}

/** @returns node-gyp's program, as npm brings it */
function findBuildTools() {
  if (!runs('make', ['--version']))
    throw new Error('no make: install make and a C++ compiler (apt-get install build-essential)');
  if (!runs(process.env.CXX ?? 'c++', ['--version'])) {
    throw new Error('no C++ compiler: install one (apt-get install build-essential)');
  }
  const npms = [process.env.npm_execpath && join(dirname(process.env.npm_execpath), '..')];
  if (runs('npm', ['--version']))
    npms.push(join(execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim(), 'npm'));
  const programs = npms.filter(Boolean).map((npm) => join(npm, 'node_modules/node-gyp/bin/node-gyp.js'));
  const found = programs.find((program) => existsSync(program));
  if (!found) throw new Error('no node-gyp: npm usually brings it; install npm 10 or newer');
  return found;
}

function runs(program, flags) {
  return spawnSync(program, flags, { stdio: 'ignore' }).status === 0;
}

function fetch(python, variant, folder) {
  const requirement = `${variant === 'cuda' ? 'tensorflow' : 'tensorflow-cpu'}==${TENSORFLOW_VERSION}`;
  say(`fetching ${requirement} with pip`);
  return fetchWheel(python, requirement, folder);
}

/** Where the package looks for its binding. */
function bindingPath(folder) {
  const require = createRequire(join(folder, 'package.json'));
  return require('@mapbox/node-pre-gyp').find(join(folder, 'package.json'));
}

function build(gyp, folder, binding) {
  say('building the binding with node-gyp');
  const module = dirname(binding);
  const headers = nodeFolder();
  const flags = [
    '--module_name=tfjs_binding',
    `--module_path=${module}`,
    `--napi_build_version=${/napi-v(\d+)/.exec(module)[1]}`,
    // Node's own headers, where they are installed with it; node-gyp would download them.
    ...(existsSync(join(headers, 'include/node/node_api.h')) ? [`--nodedir=${headers}`] : []),
  ];
  attempt('the binding could not be built', process.execPath, [gyp, 'rebuild', ...flags], folder);
  rmSync(join(folder, 'build'), { recursive: true, force: true });
}

/** Builds what keeps the library's greeting off standard error. Without it the engine works, too. */
function buildQuiet(deps) {
  const source = fileURLToPath(new URL('quiet.c', import.meta.url));
  const flags = ['-shared', '-fPIC', '-O1', `-I${join(nodeFolder(), 'include/node')}`, '-o', join(deps, 'quiet.node')];
  spawnSync(process.env.CC ?? 'cc', [...flags, source], { stdio: 'ignore' });
}

/** Where this Node is installed; its headers are below it, if they are installed. */
function nodeFolder() {
  return dirname(dirname(process.execPath));
}

/** Multiplies two small matrices in a process of its own, as a broken library may end whoever loads it. */
function computes(folder) {
  const program = `
    const util = require('node:util');
    util.isNullOrUndefined ??= (value) => value === null || value === undefined;
    util.isArray ??= Array.isArray;
    const tf = require(${JSON.stringify(folder)});
    const square = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    process.exit(String(tf.matMul(square, square).dataSync()) === '7,10,15,22' ? 0 : 1);`;
  const env = { TF_CPP_MIN_LOG_LEVEL: '3', ...process.env };
  return spawnSync(process.execPath, ['-e', program], { env, encoding: 'utf8' });
}

// Puts engine `tensorflow` in place where the library that @tensorflow/tfjs-node-gpu downloads by itself cannot be had or
// is too old: TensorFlow's library is taken from a wheel that the ordinary pip client fetches, and the package's binding
// is built against it.
//
//   npm run tensorflow:setup                 # for the CPU: the wheel tensorflow-cpu, about 270 MB
//   npm run tensorflow:setup -- --cuda       # for NVIDIA GPUs, too: the wheel tensorflow, about 600 MB
//
// Needs Linux on x64, Python with pip, a C++ compiler with make, and Node's headers (node-gyp fetches them where they do not
// lie beside Node). A second run finds the work done; what was there before stays until the new library has computed
// something. Exit code 3: this machine cannot get what is needed, stderr says why; 1: it was there and did not work.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const PACKAGE = '@tensorflow/tfjs-node-gpu';
const PACKAGE_VERSION = '4.22.0';
const TENSORFLOW_VERSION = '2.21.0';
/** Node-API version that the package's loader looks for in every Node that the suite runs on. */
const NAPI = '8';
const UNAVAILABLE = 3;
const MEBIBYTE = 2 ** 20;
/** Lines of another program's output that are shown when it fails. */
const SHOWN_LINES = 15;

/** The shared libraries, and the headers that the binding includes. */
const UNPACK = `
import os, sys, zipfile
wheel, out = sys.argv[1:]
headers = ('tensorflow', 'tsl', 'xla')
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        path = member.filename.split('/')
        if path[:2] == ['tensorflow', 'include'] and len(path) > 3 and path[2] in headers and path[-1].endswith('.h'):
            to = os.path.join(out, 'include', *path[2:])
        elif len(path) == 2 and path[1] in ('libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'):
            to = os.path.join(out, 'lib', path[1])
        else:
            continue
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with archive.open(member) as source, open(to, 'wb') as file:
            while chunk := source.read(1 << 22):
                file.write(chunk)
`;

const TRIAL = `
const util = require('node:util');
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
util.isArray ??= Array.isArray;
const tf = require('.');
const product = tf.matMul(tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]), tf.tensor2d([7, 8, 9, 10, 11, 12], [3, 2]));
console.log(tf.getBackend(), product.dataSync().join());
`;

const root = fileURLToPath(new URL('..', import.meta.url));
/** Where this Node is installed. */
const nodeFolder = join(dirname(process.execPath), '..');
const { cuda } = options();
const wheel = cuda ? 'tensorflow' : 'tensorflow-cpu';
const label = `${wheel} ${TENSORFLOW_VERSION}`;

if (process.platform !== 'linux' || process.arch !== 'x64') {
  unavailable(`the wheels are for Linux on x64, this is ${process.platform} on ${process.arch}`);
}
const home = packageFolder() ?? installPackage();
const deps = join(home, 'deps');
const lib = join(home, 'lib');
const stamp = join(deps, 'wave-setup.json');
const nativeSource = fileURLToPath(new URL('tensorflow-native.c', import.meta.url));
/** What the stamp says of the work that is done. */
const wanted = {
  wheel,
  version: TENSORFLOW_VERSION,
  native: createHash('sha256').update(readFileSync(nativeSource)).digest('hex'),
};
if (isDone()) done('is in place');
const gyp = nodeGyp();
const python = findPython();
for (const tool of ['make', 'g++'])
  if (!runs(tool, ['--version'])) unavailable(`needs ${tool}: install a C++ compiler and make`);

// Of a run that could not end in order.
for (const name of readdirSync(home)) if (name.startsWith('.setup-')) rmSync(join(home, name), { recursive: true });
const work = mkdtempSync(join(home, '.setup-'));
/** Brings back what was there before; set while it is not certain that what takes its place works. */
let restore = () => {};
process.on('exit', () => {
  restore();
  rmSync(work, { recursive: true, force: true });
});
// Ctrl-C ends the program that is being waited for, and its failure ends this one in order.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
fetchLibrary();
replace();
const built = build();
if (built !== undefined) fail('node-gyp cannot build the binding', built);
buildNative();
const problem = trial();
if (problem !== undefined) fail('the binding was built and does not work', problem);
const shielded = existsSync(join(deps, 'wave.node'));
writeFileSync(stamp, `${JSON.stringify({ ...wanted, shielded, node: process.versions.node })}\n`);
restore = () => {};
done('is ready');

function options() {
  try {
    return parseArgs({ options: { cuda: { type: 'boolean', default: false } } }).values;
  } catch (error) {
    console.error(`tensorflow-setup: ${error.message.split('\n')[0]}; the one option is --cuda`);
    process.exit(2);
  }
}

/** Where the package is installed, as the suite finds it. */
function packageFolder() {
  try {
    return dirname(createRequire(join(root, 'package.json')).resolve(`${PACKAGE}/package.json`));
  } catch {
    return undefined;
  }
}

/** Without its install script, which would download another library. npm takes the name alone for what may stay away. */
function installPackage() {
  const inside = root.lastIndexOf('/node_modules/');
  const project = inside < 0 ? root : root.slice(0, inside);
  say(`installing ${PACKAGE} ${PACKAGE_VERSION}`);
  const flags = ['--no-save', '--save-optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  const installed = run('npm', ['install', ...flags, `${PACKAGE}@${PACKAGE_VERSION}`], { cwd: project });
  if (installed !== undefined) unavailable(`npm cannot install ${PACKAGE}@${PACKAGE_VERSION}`, installed);
  const folder = packageFolder();
  if (folder === undefined) fail(`npm has installed ${PACKAGE} where ${root} does not find it`);
  return folder;
}

/** Whether an earlier run has put this very library in place, and it computes. */
function isDone() {
  try {
    const found = JSON.parse(readFileSync(stamp, 'utf8'));
    const isWanted = Object.entries(wanted).every(([key, value]) => found[key] === value);
    return isWanted && existsSync(join(deps, 'wave.node')) === found.shielded && trial() === undefined;
  } catch {
    return false;
  }
}

function nodeGyp() {
  const places = [process.env.npm_execpath, join(dirname(process.execPath), '../lib/node_modules/npm/package.json')];
  for (const place of places.filter((path) => path !== undefined && existsSync(path))) {
    try {
      return createRequire(place).resolve('node-gyp/bin/node-gyp.js');
    } catch {
      // The next place.
    }
  }
  return unavailable('npm does not come with node-gyp here: run it as `npm run tensorflow:setup`');
}

/** A Python with pip. */
function findPython() {
  for (const name of [process.env.WAVE_PYTHON, 'python3', 'python']) {
    if (name && runs(name, ['-m', 'pip', '--version'])) return name;
  }
  return unavailable('needs Python with pip to fetch the wheel: install python3-pip, or name a Python in WAVE_PYTHON');
}

/** Libraries and headers out of the wheel, into the work folder. */
function fetchLibrary() {
  say(`fetching ${label} with pip`);
  const flags = ['--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--quiet', '--dest', work];
  const fetched = run(python, ['-m', 'pip', 'download', ...flags, `${wheel}==${TENSORFLOW_VERSION}`]);
  if (fetched !== undefined) unavailable(`pip cannot fetch ${label} for ${version(python)}`, fetched);
  const file = readdirSync(work).find((name) => name.endsWith('.whl'));
  if (file === undefined) fail('pip has fetched no wheel');
  say('unpacking');
  const unpacked = run(python, ['-c', UNPACK, join(work, file), join(work, 'deps')]);
  if (unpacked !== undefined) fail(`${file} cannot be unpacked (it takes ${cuda ? 2500 : 1000} MB of disk)`, unpacked);
  rmSync(join(work, file));
  for (const name of ['libtensorflow_cc', 'libtensorflow_framework']) {
    if (!existsSync(join(work, 'deps/lib', `${name}.so.2`))) fail(`${file} holds no ${name}.so.2`);
  }
  symlinkSync('libtensorflow_cc.so.2', join(work, 'deps/lib/libtensorflow.so'));
  symlinkSync('libtensorflow_framework.so.2', join(work, 'deps/lib/libtensorflow_framework.so'));
}

/** Puts the new library in place; the old one and its binding are kept until the new ones have proved themselves. */
function replace() {
  const kept = [deps, lib].map((folder) => ({ folder, old: join(work, `old-${basename(folder)}`) }));
  restore = () => {
    for (const { folder, old } of kept) {
      rmSync(folder, { recursive: true, force: true });
      if (existsSync(old)) renameSync(old, folder);
    }
  };
  for (const { folder, old } of kept) if (existsSync(folder)) renameSync(folder, old);
  renameSync(join(work, 'deps'), deps);
}

/** @returns what node-gyp said if it failed */
function build() {
  say('building the binding');
  const settings = {
    module: join(home, `lib/napi-v${NAPI}/tfjs_binding.node`),
    module_name: 'tfjs_binding',
    module_path: join(home, `lib/napi-v${NAPI}`),
    napi_version: process.versions.napi,
    napi_build_version: NAPI,
    node_napi_label: `napi-v${NAPI}`,
  };
  // Most installations of Node have the headers beside it: then nothing is fetched.
  const headers = existsSync(join(nodeFolder, 'include/node/node_api.h')) ? { nodedir: nodeFolder } : {};
  const flags = Object.entries({ ...settings, ...headers }).map(([name, value]) => `--${name}=${value}`);
  const said = run(process.execPath, [gyp, 'rebuild', ...flags], { cwd: home });
  rmSync(join(home, 'build'), { recursive: true, force: true });
  return said;
}

/** Keeps the library's greeting off stderr and signals off its threads. Where it cannot be built, the engine works without. */
function buildNative() {
  const folders = [join(nodeFolder, 'include/node'), gypHeaders()].map((folder) => `-I${folder}`);
  const file = join(deps, 'wave.node');
  const said =
    run('gcc', ['-shared', '-fPIC', '-O1', ...folders, '-o', file, nativeSource]) ??
    run(process.execPath, ['-e', `require(${JSON.stringify(file)})`]);
  if (said === undefined) return;
  rmSync(file, { force: true });
  say(`a signal may crash the engine, and it will greet: what prevents that cannot be built\n${said}`);
}

/** Where node-gyp puts the headers that it fetches. */
function gypHeaders() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return join(cache, 'node-gyp', process.versions.node, 'include/node');
}

/** Computes a product in a process of its own. @returns what is wrong, or undefined */
function trial() {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '-1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', TRIAL], { cwd: home, env, encoding: 'utf8' });
  if (status === 0 && stdout.trim().endsWith(' 58,64,139,154')) return undefined;
  return (stderr || stdout).trim().split('\n').slice(-SHOWN_LINES).join('\n') || `exit code ${status}`;
}

/** @returns what it printed if it failed */
function run(command, args, settings = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 64 * MEBIBYTE,
    ...settings,
  });
  if (status === 0) return undefined;
  return error ? error.message : `${stdout}${stderr}`.trim().split('\n').slice(-SHOWN_LINES).join('\n');
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function version(command) {
  return spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout.trim();
}

function done(state) {
  console.log(`engine tensorflow ${state}: ${PACKAGE} ${PACKAGE_VERSION} on ${label}; see wave doctor`);
  process.exit(0);
}

function say(text) {
  console.error(`tensorflow-setup: ${text}`);
}

function unavailable(text, details) {
  end(text, details, UNAVAILABLE);
}

function fail(text, details) {
  end(text, details, 1);
}

function end(text, details, code) {
  if (details) console.error(details);
  say(text);
  process.exit(code);
}

// TensorFlow and CUDA out of Python wheels: fetched with the ordinary pip client, unpacked with Python, as Node reads no archives.
import { existsSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { attempt } from './attempt.mjs';

/** The wheel that is asked for, whatever Python this machine has: only its libraries and headers are used. */
const WHEEL_TAGS = ['--python-version', '3.11', '--implementation', 'cp', '--platform', 'manylinux_2_27_x86_64'];
/** CUDA's wheels have older tags, too. */
const CUDA_TAGS = [...WHEEL_TAGS, '--platform', 'manylinux_2_17_x86_64', '--platform', 'manylinux2014_x86_64'];
/** What the binding needs of a wheel. */
const MEMBERS = [
  'tensorflow/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2',
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/',
  'tensorflow/include/tsl/',
  'tensorflow/include/xla/tsl/',
];

function download(python, problem, tags, requirements, folder) {
  const flags = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', ...tags, '--dest', folder];
  attempt(problem, python, [...flags, ...requirements], dirname(folder));
  return readdirSync(folder).map((name) => join(folder, name));
}

/** @param requirement as pip takes it @returns the wheel's file, in `folder` */
export function fetchWheel(python, requirement, folder) {
  const problem = `pip did not get ${requirement} for this platform`;
  const [file] = download(python, problem, WHEEL_TAGS, [requirement], folder);
  return file;
}

/** Takes the files that MEMBERS name out of a wheel, with Python, as Node reads no archives. */
export function unpack(python, file, target) {
  const program = [
    'import sys, zipfile',
    'wheel, target, *members = sys.argv[1:]',
    'archive = zipfile.ZipFile(wheel)',
    'names = [name for name in archive.namelist() if name.startswith(tuple(members))]',
    'archive.extractall(target, names)',
  ].join('\n');
  attempt(`${file} could not be unpacked`, python, ['-c', program, file, target, ...MEMBERS], target);
  const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
  for (const name of libraries) {
    const from = join(target, 'tensorflow', name);
    if (!existsSync(from)) throw new Error(`${file} holds no ${name}: is it a wheel of TensorFlow for Linux?`);
    renameSync(from, join(target, 'lib', name));
  }
  renameSync(join(target, 'tensorflow/include'), join(target, 'include'));
  rmSync(join(target, 'tensorflow'), { recursive: true });
  // The names that the linker looks for.
  symlinkSync('libtensorflow_cc.so.2', join(target, 'lib/libtensorflow.so'));
  symlinkSync('libtensorflow_framework.so.2', join(target, 'lib/libtensorflow_framework.so'));
}

/** CUDA's libraries, in the versions that the wheel asks for, where libtensorflow looks for them: beside `lib`. */
export function fetchCuda(python, file, folder, target) {
  const program = [
    'import sys, zipfile',
    'archive = zipfile.ZipFile(sys.argv[1])',
    'name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))',
    'print(archive.read(name).decode())',
  ].join('\n');
  const metadata = attempt(`${file} could not be read`, python, ['-c', program, file], target);
  const requirements = [...metadata.matchAll(/^Requires-Dist: (\S+?) *; *extra == "and-cuda"/gm)].map(
    ([, name]) => name,
  );
  if (requirements.length === 0) throw new Error(`${file} asks for no CUDA libraries: is it a wheel of tensorflow?`);
  for (const wheel of download(python, 'pip did not get the CUDA libraries', CUDA_TAGS, requirements, folder)) {
    attempt(`${wheel} could not be unpacked`, python, ['-m', 'zipfile', '-e', wheel, target], target);
  }
}

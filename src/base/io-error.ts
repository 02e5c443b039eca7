/** Says in plain words why a file operation failed and what to do, instead of an errno name. */

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file or folder; check the path'],
  ['ENOTDIR', 'a part of the path is a file, not a folder; check the path'],
  ['EEXIST', 'a file of this name is in the way; choose another name'],
  ['EISDIR', 'is a folder; name a file'],
  // Node's own, for a folder that was to be removed as a file.
  ['ERR_FS_EISDIR', 'is a folder; move it out of the way'],
  ['EACCES', 'permission denied; check the rights of the file and its folder'],
  ['EPERM', 'not permitted; check the rights of the file and its folder'],
  ['EROFS', 'the file system is read-only; choose another place'],
  ['ENOSPC', 'the disk is full; free some space or choose another place'],
  ['EDQUOT', 'the disk quota is used up; free some space or choose another place'],
  ['EFBIG', 'the file is larger than the system or its limits allow; check `ulimit -f` or choose another place'],
  ['EMFILE', 'too many open files; raise `ulimit -n`'],
  ['ENFILE', 'the system has too many open files; close some programs'],
  ['ELOOP', 'symbolic links form a loop; check the path'],
  ['ENAMETOOLONG', 'the name is too long; choose a shorter one'],
  ['EIO', 'the device reported an input/output error; check the disk'],
]);

/** The errno name of a failed file operation (`ENOENT`), or undefined when the value is something else. */
export function errorCodeOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return undefined;
}

/** Reason and remedy of a failed file operation, without the path: "the disk is full; free some space ...". */
export function explainIoError(error: unknown): string {
  const code = errorCodeOf(error);
  const known = code === undefined ? undefined : REASONS.get(code);
  return known ?? (error instanceof Error ? error.message : String(error));
}

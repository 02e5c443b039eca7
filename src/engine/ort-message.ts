/** Makes one readable line of what onnxruntime says when something fails. */

/** The source position and the condition that onnxruntime puts before its sentence. */
const POSITION = /^\S+:\d+ .* was false\. /;

/** The first line of `text`, without the position in onnxruntime's source. */
export function ortMessage(text: string): string {
  const line = text.trim().split('\n', 1)[0] as string;
  return line.replace(POSITION, '');
}

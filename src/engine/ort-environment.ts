/** What has to be in the environment before onnxruntime's library is loaded. */

/**
 * onnxruntime reports its use to its makers, and keeps files for that in the user's cache folder, unless it is told not
 * to. This suite opens no connection and writes nowhere but where it is told. A setting of the user's own stays.
 */
export function forbidTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
}

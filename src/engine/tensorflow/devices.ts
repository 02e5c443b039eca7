/** Devices of engine tensorflow, apart from everything that needs its package. */
export const TENSORFLOW_DEVICES = ['cpu', 'gpu'] as const;
export type TensorflowDevice = (typeof TENSORFLOW_DEVICES)[number];

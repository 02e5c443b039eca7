/**
 * The one place that loads tfjs. The union package is used because it registers the gradients of all kernels
 * (`@tensorflow/tfjs-core` alone does not in Node).
 */
import tfjs from '@tensorflow/tfjs';

export const tf = tfjs;
export type { Rank, Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D, TensorInfo } from '@tensorflow/tfjs';

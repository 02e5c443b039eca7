/** What to do about an engine or device that does not work, by what it said. */
import { type EngineTarget, targetName } from './targets.js';

/** The line for one kind of failure. */
interface Fix {
  /** What is found in what the try printed and in its error; absent: whatever else it is. */
  readonly when?: RegExp;
  readonly fix: string;
}

const TENSORFLOW = 'npm run tensorflow:setup (Linux on x64; elsewhere see docs/engines.md#tensorflow)';
const TENSORFLOW_GPU = 'npm run tensorflow:setup -- --cuda, CUDA 12 and cuDNN 9; nvidia-smi must list the GPU';
const CUDA_FOR_ORT = 'install CUDA 12 and cuDNN 9, and name their folders in LD_LIBRARY_PATH';

/** By target, the first that fits. */
const FIXES: Readonly<Record<string, readonly Fix[]>> = {
  'ort/cpu': [{ fix: 'npm install --force onnxruntime-node (64-bit Linux, macOS or Windows)' }],
  'ort/webgpu': [
    {
      when: /libvulkan/,
      fix: "apt-get install libvulkan1 and the GPU's driver (Debian, Ubuntu); without a GPU, only to try: see docs/engines.md#webgpu",
    },
    {
      when: /No supported adapters|adapter/,
      fix: 'install the GPU driver with Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows)',
    },
    { fix: "update the GPU's driver, or compute on another device" },
  ],
  'ort/cuda': [
    { when: /backend not found/, fix: 'needs Linux on x64' },
    { when: /lib(cudart|cublas|cudnn|cufft|curand|nvrtc)/, fix: CUDA_FOR_ORT },
    {
      when: /providers_(shared|cuda)/,
      fix: 'node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12, and CUDA 12 with cuDNN 9',
    },
    {
      when: /no CUDA-capable device|driver version is insufficient|CUDA failure/,
      fix: "install NVIDIA's driver; nvidia-smi must list the GPU",
    },
    { fix: `${CUDA_FOR_ORT}: see docs/engines.md#cuda` },
  ],
  'tensorflow/cpu': [{ fix: TENSORFLOW }],
  'tensorflow/gpu': [{ fix: TENSORFLOW_GPU }],
};

/**
 * @param said everything that the try printed, and its error
 * @returns one line
 */
export function fixFor(target: Pick<EngineTarget, 'engine' | 'device'>, said: string): string {
  const found = FIXES[targetName(target)]?.find(({ when }) => when === undefined || when.test(said));
  return found?.fix ?? 'see wave doctor';
}

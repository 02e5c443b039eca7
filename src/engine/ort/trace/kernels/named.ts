/** Trace kernels of the suite's named ops: one ONNX operator each where onnxruntime has a fused one. */
import { GELU, LAYER_NORM } from '../../../kernel-names.js';
import { float, int } from '../../graph.js';
import { registerTraceKernel } from '../register.js';

export function registerNamed(): void {
  registerTraceKernel(LAYER_NORM, ({ x, scale, bias }, { epsilon }, recorder) => {
    const statistics = [...x.shape.slice(0, -1), 1];
    const inputs = [x, scale, bias].map((tensor) => recorder.value(tensor));
    return recorder.nodes('LayerNormalization', inputs, [x.shape, statistics, statistics], 'float32', {
      axis: int(-1),
      epsilon: float(Number(epsilon)),
    });
  });
  registerTraceKernel(GELU, ({ x }, _, recorder) => {
    const domain = recorder.backend.target.fusedOperators ? 'com.microsoft' : '';
    return recorder.node('Gelu', [recorder.value(x)], x.shape, 'float32', {}, domain);
  });
}

/** Runs a program under the trace backend and returns what it recorded. */
import { EngineError } from '../../../base/errors.js';
import type { TensorSpecs } from '../../tensor-spec.js';
import { type Tensor, tf } from '../../tf.js';
import { finishGraph } from '../clean.js';
import type { FinishedGraph, GraphValue } from '../graph.js';
import { TRACE_BACKEND, type TraceTarget, traceBackend } from './backend.js';
import { registerElementwise } from './kernels/elementwise.js';
import { registerMatMul } from './kernels/matmul.js';
import { registerNamed } from './kernels/named.js';
import { registerReduce } from './kernels/reduce.js';
import { registerShape } from './kernels/shape.js';

/** tfjs's own mark on the scopes of its ops. */
const OP_SUFFIX = /__op$/;

let registered = false;

function registerKernels(): void {
  if (registered) return;
  traceBackend();
  for (const register of [registerElementwise, registerMatMul, registerNamed, registerReduce, registerShape])
    register();
  registered = true;
}

/**
 * Records `program` as a graph.
 *
 * @param inputs the graph's inputs; the program is given one symbolic tensor for each.
 * @param program a pure function of tensors; what it returns becomes the graph's outputs, by name.
 * @throws EngineError naming the kernel and the op that asked for it when the trace backend does not have it, or the
 * output that is neither float32 nor int32.
 */
export function trace(inputs: TensorSpecs, program: TracedProgram, target: TraceTarget): Promise<FinishedGraph> {
  const recorded = recording.then(() => record(inputs, program, target));
  recording = recorded.catch(() => undefined);
  return recorded;
}

/** What is traced. */
export type TracedProgram = (tensors: Map<string, Tensor>) => ReadonlyMap<string, Tensor>;

/** tfjs has one current backend, so one program is recorded at a time. */
let recording: Promise<unknown> = Promise.resolve();

async function record(inputs: TensorSpecs, program: TracedProgram, target: TraceTarget): Promise<FinishedGraph> {
  registerKernels();
  const before = tf.engine().backendName;
  await tf.setBackend(TRACE_BACKEND);
  const backend = traceBackend();
  const graph = backend.begin(target);
  const restoreKernels = explainMissingKernels();
  tf.engine().startScope('trace');
  try {
    const tensors = new Map<string, Tensor>();
    for (const [name, spec] of inputs) {
      graph.input({ name, type: spec.dtype, shape: spec.shape });
      tensors.set(name, backend.tensor({ name, shape: spec.shape, dtype: spec.dtype }));
    }
    const outputs: GraphValue[] = [];
    for (const [name, tensor] of program(tensors)) {
      if (tensor.dtype !== 'float32' && tensor.dtype !== 'int32') {
        throw new EngineError(`${name} is ${tensor.dtype}: outputs must be float32 or int32; cast it`);
      }
      // An Identity gives the output its name, and keeps apart outputs that are one value or an input.
      graph.nodes.push({
        op: 'Identity',
        domain: '',
        inputs: [backend.value(tensor)],
        outputs: [name],
        attributes: {},
      });
      outputs.push({ name, type: tensor.dtype, shape: tensor.shape });
      // A program may have kept it beyond its scope.
      tensor.dispose();
    }
    return finishGraph(graph, outputs);
  } finally {
    tf.engine().endScope();
    restoreKernels();
    backend.end();
    if (before && before !== TRACE_BACKEND) await tf.setBackend(before);
  }
}

/** Makes tfjs name kernel and op when a kernel is missing, until the returned function is called. */
function explainMissingKernels(): () => void {
  const engine = tf.engine();
  const original = engine.runKernel;
  engine.runKernel = function runKernel<T extends Tensor | Tensor[]>(...parameters: Parameters<typeof original>): T {
    const [kernel] = parameters;
    if (!tf.getKernel(kernel, TRACE_BACKEND)) {
      const op = (engine.state.activeScope?.name ?? 'unknown').replace(OP_SUFFIX, '');
      throw new EngineError(
        `kernel '${kernel}', asked for by op '${op}', is not supported by engine ort: ` +
          'build the op from supported ones or add a kernel under src/engine/ort/trace/kernels',
      );
    }
    return original.apply(engine, parameters) as T;
  };
  return () => {
    engine.runKernel = original;
  };
}

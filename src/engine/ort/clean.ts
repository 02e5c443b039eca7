/** Rewrites a recorded graph into a smaller one that computes the same outputs. */
import type { FinishedGraph, Graph, GraphNode, GraphValue } from './graph.js';

/** Drops what no output needs, folds additions into matrix products, and returns the finished graph. */
export function finishGraph(graph: Graph, outputs: readonly GraphValue[]): FinishedGraph {
  const wanted = outputs.map((output) => output.name);
  const live = dropDead(graph.nodes, wanted);
  const nodes = dropDead(foldAddIntoGemm(live, graph.shapes, new Set(wanted)), wanted);
  const used = new Set(nodes.flatMap((node) => node.inputs));
  return {
    nodes,
    constants: [...graph.constants.values()].filter((constant) => used.has(constant.name)),
    inputs: graph.inputs,
    outputs,
  };
}

function dropDead(nodes: readonly GraphNode[], wanted: readonly string[]): GraphNode[] {
  const needed = new Set(wanted);
  const kept: GraphNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

/**
 * `Gemm(a, b) + c` becomes `Gemm(a, b, c)` when nothing else reads the product: one pass over the result less. This is
 * what gradient accumulation over several linear layers of one input looks like.
 */
function foldAddIntoGemm(
  nodes: readonly GraphNode[],
  shapes: ReadonlyMap<string, readonly number[]>,
  wanted: ReadonlySet<string>,
): GraphNode[] {
  const uses = new Map<string, number>();
  for (const name of nodes.flatMap((node) => node.inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
  const producers = new Map<string, GraphNode>();
  const folded = new Set<GraphNode>();
  const result: GraphNode[] = [];
  for (const node of nodes) {
    const rewritten = node.op === 'Add' ? fold(node) : node;
    for (const name of rewritten.outputs) producers.set(name, rewritten);
    result.push(rewritten);
  }
  return result.filter((node) => !folded.has(node));

  function fold(add: GraphNode): GraphNode {
    const sum = add.outputs[0] as string;
    for (const [product, addend] of [add.inputs, [...add.inputs].reverse()] as [string, string][]) {
      const gemm = producers.get(product);
      const foldable =
        gemm?.op === 'Gemm' &&
        gemm.inputs.length === 2 &&
        uses.get(product) === 1 &&
        !wanted.has(product) &&
        sameShape(shapes.get(addend), shapes.get(sum)) &&
        sameShape(shapes.get(product), shapes.get(sum));
      if (!foldable) continue;
      folded.add(gemm);
      return { ...gemm, inputs: [...gemm.inputs, addend], outputs: [sum] };
    }
    return add;
  }
}

function sameShape(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((size, axis) => size === b[axis]);
}

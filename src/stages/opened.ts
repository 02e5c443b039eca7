/** What a training opens and has to close again, whatever happens in between. */

interface Openers<Loaders, Engine> {
  readonly loaders: () => Loaders;
  readonly engine: () => Promise<Engine>;
}

/**
 * Opens loaders and engine, and closes those that were opened when `work` has ended or failed, or when the engine could
 * not be opened.
 */
export async function withOpened<
  Loaders extends { readonly close: () => Promise<void> },
  Engine extends { readonly dispose: () => Promise<void> },
  Result,
>(open: Openers<Loaders, Engine>, work: (loaders: Loaders, engine: Engine) => Promise<Result>): Promise<Result> {
  const closing: (() => Promise<void>)[] = [];
  try {
    const loaders = open.loaders();
    closing.push(() => loaders.close());
    const engine = await open.engine();
    closing.push(() => engine.dispose());
    return await work(loaders, engine);
  } finally {
    await Promise.all(closing.map((close) => close()));
  }
}

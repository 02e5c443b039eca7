/** A terminal of the simplest kind: keeps a grid of lines and obeys the few control sequences that a live line uses. */
import { Writable } from 'node:stream';

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const SEQUENCE = /\u001b\[(\?)?([\d;]*)([A-Za-z])/y;

/** Everything written to it is drawn; `visible()` is what a person would see. */
export class Screen extends Writable {
  readonly isTTY = true;
  readonly columns: number;
  cursorHidden = false;
  /** True once any colour was set. */
  coloured = false;
  readonly #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    super({ decodeStrings: false });
    this.columns = columns;
  }

  /** The lines, without the empty ones at the end. */
  visible(): string[] {
    const lines = this.#lines.map((line) => line.trimEnd());
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }

  cursorTo(column: number): boolean {
    this.#column = column;
    return true;
  }

  moveCursor(dx: number, dy: number): boolean {
    this.#column = Math.max(0, this.#column + dx);
    this.#row = Math.max(0, this.#row + dy);
    return true;
  }

  /** Clears to the left (-1), to the right (1) or the whole line (0). */
  clearLine(direction: -1 | 0 | 1): boolean {
    const line = this.#lines[this.#row] ?? '';
    if (direction === 1) this.#lines[this.#row] = line.slice(0, this.#column);
    else if (direction === 0) this.#lines[this.#row] = '';
    else this.#lines[this.#row] = ' '.repeat(this.#column) + line.slice(this.#column);
    return true;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    const text = chunk.toString();
    for (let i = 0; i < text.length; ) {
      SEQUENCE.lastIndex = i;
      const sequence = SEQUENCE.exec(text);
      if (sequence === null) {
        this.#put(text[i++]);
      } else {
        this.#obey(sequence[1] === '?', sequence[2], sequence[3]);
        i = SEQUENCE.lastIndex;
      }
    }
    done();
  }

  #put(character: string): void {
    if (character === '\n') {
      this.#row += 1;
      this.#column = 0;
      this.#lines[this.#row] ??= '';
    } else if (character === '\r') {
      this.#column = 0;
    } else {
      const line = (this.#lines[this.#row] ?? '').padEnd(this.#column);
      this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
      this.#column += 1;
    }
  }

  #obey(isPrivate: boolean, parameters: string, command: string): void {
    if (command === 'm') this.coloured = true;
    else if (isPrivate && parameters === '25') this.cursorHidden = command === 'l';
    else if (!(isPrivate && parameters === '2026')) {
      throw new Error(`the screen does not know the sequence ${parameters}${command}`);
    }
  }
}

/** Tables of results, character by character. */
import { describe, expect, it } from 'vitest';
import { renderPairs, renderTable } from '#wave/cli/table.js';

describe('renderTable', () => {
  it('aligns columns under underlined headings, numbers to the right', () => {
    const columns = [{ name: 'input' }, { name: 'probability', align: 'right' as const }];
    expect(
      renderTable(columns, [
        ['a.jpg', '99.1 %'],
        ['', '0.2 %'],
      ]),
    ).toBe('input  probability\n-----  -----------\na.jpg       99.1 %\n             0.2 %\n');
  });

  it('shows the headings of an empty table', () => {
    expect(renderTable([{ name: 'a' }, { name: 'b' }], [])).toBe('a  b\n-  -\n');
  });

  it('shows control characters instead of sending them to the terminal', () => {
    expect(renderTable([{ name: 'n' }], [['\u001b[2Jx\n\u009b1m']])).toBe(
      'n\n------------------------\n\\u001b[2Jx\\u000a\\u009b1m\n',
    );
  });
});

describe('renderPairs', () => {
  it('aligns the values', () => {
    expect(
      renderPairs([
        ['model', 'runs/a'],
        ['loss', '0.4'],
      ]),
    ).toBe('model  runs/a\nloss   0.4\n');
  });
});

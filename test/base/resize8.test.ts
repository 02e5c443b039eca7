import { describe, expect, it } from 'vitest';
import { INTERPOLATIONS } from '#wave/base/resize-choices.js';
import { type Pixels8, resize8 } from '#wave/base/resize8.js';

/** Pixels that follow from their place, so that any mix-up shows. */
function pattern(height: number, width: number, channels: number): Pixels8 {
  const data = Uint8Array.from(
    { length: height * width * channels },
    (_, i) => (i * 37 + Math.floor(i / 11) * 91) % 256,
  );
  return { data, height, width, channels };
}

const all = ({ height, width }: Pick<Pixels8, 'height' | 'width'>) => ({ top: 0, left: 0, height, width });

function cut({ data, width, channels }: Pixels8, top: number, left: number, height: number, wide: number): Uint8Array {
  const rows = Array.from({ length: height }, (_, y) => {
    const from = ((top + y) * width + left) * channels;
    return [...data.subarray(from, from + wide * channels)];
  });
  return Uint8Array.from(rows.flat());
}

describe('resize8', () => {
  it.each(INTERPOLATIONS)('computes in a crop what all of the image has there: %s', (filter) => {
    for (const channels of [1, 3, 4]) {
      for (const [height, width] of [
        [23, 31],
        [60, 9],
        [17, 40],
      ]) {
        const image = pattern(50, 40, channels);
        const size = [height, width] as const;
        const whole = resize8(image, { box: all(image), size, crop: all({ height, width }), filter });
        const crop = { top: 5, left: 2, height: 9, width: 6 };
        const part = resize8(image, { box: all(image), size, crop, filter });
        expect(part).toMatchObject({ height: 9, width: 6, channels });
        expect(part.data).toEqual(cut(whole, 5, 2, 9, 6));
      }
    }
  });

  it.each(INTERPOLATIONS)('sees nothing beyond the box: %s', (filter) => {
    const image = pattern(30, 33, 3);
    const box = { top: 4, left: 7, height: 12, width: 15 };
    const size = [20, 8] as const;
    const crop = all({ height: 20, width: 8 });
    const alone = { data: cut(image, 4, 7, 12, 15), height: 12, width: 15, channels: 3 };
    expect(resize8(image, { box, size, crop, filter }).data).toEqual(
      resize8(alone, { box: all(alone), size, crop, filter }).data,
    );
  });

  it.each(INTERPOLATIONS)('gives each channel what a grey image of it gives: %s', (filter) => {
    const image = pattern(41, 29, 3);
    const size = [13, 50] as const;
    const crop = all({ height: 13, width: 50 });
    const colour = resize8(image, { box: all(image), size, crop, filter }).data;
    for (let c = 0; c < 3; c++) {
      const grey = { ...image, data: image.data.filter((_, i) => i % 3 === c), channels: 1 };
      expect(colour.filter((_, i) => i % 3 === c)).toEqual(resize8(grey, { box: all(grey), size, crop, filter }).data);
    }
  });

  it.each(INTERPOLATIONS)('keeps an image whose size stays, and one colour whatever the size: %s', (filter) => {
    const image = pattern(11, 12, 3);
    const same = resize8(image, { box: all(image), size: [11, 12], crop: all(image), filter });
    expect(same.data).toEqual(image.data);
    const plain = { ...image, data: new Uint8Array(11 * 12 * 3).fill(255) };
    const larger = resize8(plain, { box: all(plain), size: [40, 5], crop: all({ height: 40, width: 5 }), filter });
    expect(new Set(larger.data)).toEqual(new Set([255]));
  });

  it('takes images that are larger than what its kernel is handed at a time', () => {
    const image = pattern(1500, 1200, 3);
    const size = [7, 5] as const;
    const crop = all({ height: 7, width: 5 });
    const colour = resize8(image, { box: all(image), size, crop, filter: 'bilinear' }).data;
    const grey = { ...image, data: image.data.filter((_, i) => i % 3 === 1), channels: 1 };
    expect(colour.filter((_, i) => i % 3 === 1)).toEqual(
      resize8(grey, { box: all(grey), size, crop, filter: 'bilinear' }).data,
    );
  });
});

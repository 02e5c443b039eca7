/**
 * Engines and devices that have to be there: `WAVE_REQUIRE_ENGINES=ort/webgpu,tensorflow/cpu`. Tests of others are left out
 * where a machine does not have them; those of these fail, so that a machine that is set up for them cannot leave them out
 * unseen.
 */
const required = (process.env.WAVE_REQUIRE_ENGINES ?? '').split(',').map((name) => name.trim());

/** @param name `ort/webgpu` for example */
export const isRequired = (name: string): boolean => required.includes(name);

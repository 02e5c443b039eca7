/** What every engine and device has to do, done by ort/webgpu. */
import { describeConformance } from './suite.js';

await describeConformance('ort/webgpu');

/** What every engine and device has to do, done by ort/cuda. */
import { describeConformance } from './suite.js';

await describeConformance('ort/cuda');

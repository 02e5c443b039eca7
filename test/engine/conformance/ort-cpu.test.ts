/** What every engine and device has to do, done by ort/cpu. */
import { describeConformance } from './suite.js';

await describeConformance('ort/cpu');

/** What every engine and device has to do, done by tensorflow/gpu. */
import { describeConformance } from './suite.js';

await describeConformance('tensorflow/gpu');

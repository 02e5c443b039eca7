/** What every engine and device has to do, done by tensorflow/cpu. */
import { describeConformance } from './suite.js';

await describeConformance('tensorflow/cpu');

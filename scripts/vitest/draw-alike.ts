import { propertyRuns } from '@posthorn/testkit';
import fc from 'fast-check';

/**
 * Property tests draw the same values in every `npm test`: it fails for what a change did, not by chance. The nightly
 * run, which tries each many times, draws anew; a failure names its seed.
 */
if (propertyRuns(1) === 1) fc.configureGlobal({ seed: 1 });

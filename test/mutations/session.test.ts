import { testThatUnitTestsNotice } from './noticed-mutations.ts';
import { SESSION_MUTATIONS } from './session.ts';

// These are half of all. Two files of tests run side by side.
testThatUnitTestsNotice(SESSION_MUTATIONS);

// Adds up vitest's JSON reports, says what failed, and ends with "N passed, N failed" on the last line.
// Usage: node .ci/count.mjs REPORTS-FOLDER NUMBER-OF-FAILED-STEPS
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [folder, failedSteps] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;

for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()) {
  const report = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  for (const { name, status, message, assertionResults } of report.testResults) {
    const failures = assertionResults.filter((result) => result.status === 'failed');
    const passes = assertionResults.filter((result) => result.status === 'passed');
    passed += passes.length;
    failed += failures.length;
    skipped += assertionResults.length - passes.length - failures.length;
    for (const failure of failures) {
      console.log(`FAILED ${name}: ${failure.fullName}`);
    }
    // A file that cannot be loaded, or whose hooks fail, has no failed test of its own.
    if (status === 'failed' && failures.length === 0) {
      failed += 1;
      console.log(`FAILED ${name}: ${message}`);
    }
  }
}

// A step that failed without a failed test must not end in "0 failed".
if (failed === 0) {
  failed += Number(failedSteps);
}
if (passed === 0 && failed === 0) {
  failed = 1;
  console.log('FAILED: no test ran.');
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;

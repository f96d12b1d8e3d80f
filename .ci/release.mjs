// Publishes the package with provenance: npm then shows which commit and which CI run it was built from. So this runs in a CI
// that npm trusts (GitHub Actions with `id-token: write`, or GitLab with an id token), on the tag of the version.
// Usage: npm run release, or npm run release -- --check to look only.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const git = (...command) => execFileSync('git', command, { encoding: 'utf8' }).trim();
const run = (...command) => execFileSync('npm', command, { stdio: 'inherit' });

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const tag = `v${manifest.version}`;
const headings = readFileSync('CHANGELOG.md', 'utf8').split('\n');
const problems = ['repository', 'homepage', 'bugs']
  .filter((field) => !manifest[field])
  .map(
    (field) =>
      `package.json has no "${field}". Add it: npm shows it, and provenance needs "repository".`,
  );
if (!headings.includes(`## ${manifest.version}`))
  problems.push(`CHANGELOG.md has no heading "## ${manifest.version}". Add it.`);
if (git('status', '--porcelain') !== '')
  problems.push('The work tree has changes. Commit them first.');
if (!git('tag', '--points-at', 'HEAD').split('\n').includes(tag))
  problems.push(`The commit has no tag ${tag}. Run: git tag ${tag}`);

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`${manifest.name} ${manifest.version} can be published.`);

if (!process.argv.includes('--check')) {
  for (const script of ['check', 'build', 'check:package', 'check:size', 'test'])
    run('run', script);
  run('publish', '--provenance', '--access', 'public');
}

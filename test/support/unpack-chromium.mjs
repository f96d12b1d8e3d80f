// Unpacks the Chromium of the npm package into the folder that TMPDIR names, and prints its path.
// A process of its own, because the package changes the environment of whoever imports it.
import chromium from '@sparticuz/chromium';

process.stdout.write(await chromium.executablePath());

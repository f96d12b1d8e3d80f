/** @type {import('next').NextConfig} */
export default {
  reactStrictMode: true,
  // The folder of the app, and not one above it that has a lock file, too.
  outputFileTracingRoot: import.meta.dirname,
};

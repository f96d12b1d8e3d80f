import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: { include: ['*.test.ts'], testTimeout: 30_000, fileParallelism: false },
});

export default config;

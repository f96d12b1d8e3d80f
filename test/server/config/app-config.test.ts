import { expect, test } from 'vitest';

import { AppConfig } from '../../../src/server/config/app-config.ts';

test('an option that cannot be read fails nobody who does not ask for it', () => {
  const config = {
    messagePrefix: 'app/',
    get limits(): never {
      throw new Error('of the app');
    },
  };
  expect(new AppConfig(() => config).messagePrefix).toBe('app/');
});

test('an option counts as given if the app has set it, also in the config that it got', () => {
  const defaults = { storePath: '/store' };
  let config: { storePath: string; messagePrefix?: string } = defaults;
  const options = new AppConfig(() => config, defaults);
  expect(options.isGiven('storePath')).toBe(false);
  config.messagePrefix = 'app/';
  expect(options.isGiven('messagePrefix')).toBe(true);
  config = { storePath: '/store' };
  expect(options.isGiven('storePath')).toBe(true);
});

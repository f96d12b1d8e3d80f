import { describeHost } from './contract.ts';

describeHost('durable-object', 'saving');

import { describeHost } from './contract.ts';

describeHost('partykit', 'saving');

import { describeHost } from './contract.ts';

describeHost('partyserver', 'saving');

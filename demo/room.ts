import { TinyBasePartyKitServer } from '../src/server/index.ts';

/** The room that `npx partykit dev` runs: one shared list for each room id. */
export default class DemoRoom extends TinyBasePartyKitServer {}

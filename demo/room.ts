import { TinyBasePartyKitServer } from 'tinybase/persisters/persister-partykit-server';

/** The room that `npx partykit dev` runs: one shared list for each room id. */
export default class DemoRoom extends TinyBasePartyKitServer {}

import { TinyBasePartyKitServer } from 'tinybase/persisters/persister-partykit-server';

/** TinyBase's own room. */
export default class StockRoom extends TinyBasePartyKitServer {}

/** What `getStats` tells, as in TinyBase's own persisters. */
export interface Stats {
  /** How often content or changes of the room were applied. */
  loads: number;
  /** How often something was sent. */
  saves: number;
}

/** The `onIgnoredError` of each room object, for the hooks. It is not in the room, because apps need none: it is their own. */
export const roomReports: WeakMap<object, (error: unknown) => void> = new WeakMap();

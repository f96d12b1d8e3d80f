/** The tables of a presence Store. No other table, and no Value, travels between a room and its clients. */

/** The table with a row for each connection: the app's cells, and {@link USER}. */
export const CONNECTIONS = 'connections';
/** The table with a row for each user. */
export const USERS = 'users';
/** The cell of a connection that the room writes: the id of its user. */
export const USER = 'user';

/** A secret that is long enough. */
export const SECRET = 'a secret of more than thirty-two bytes';

/**
 * Fixed names and numbers of the live socket. Apart from the schemas, so that a page which only uses these does not
 * carry the schema library.
 */
export const LIVE_VERSION = 1;

/** The channel on which a server tells who is here. */
export const PRESENCE = "presence";

/** Close codes of the live socket; 4xxx ones come after the handshake, for a browser sees no others. */
export const CLOSE = {
  normal: 1000,
  stopping: 1001,
  notAllowedId: 1008,
  tooBig: 1009,
  keepalive: 1011,
  tooSlow: 1013,
  unauthenticated: 4001,
  forbidden: 4003,
  missing: 4004,
  version: 4006,
  helloExpected: 4008,
  replaced: 4009,
} as const;

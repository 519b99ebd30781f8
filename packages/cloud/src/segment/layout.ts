/**
 * Where things lie in the memory of the kernel (`wasm/`), in bytes. Both sides import this file: it is
 * TypeScript and AssemblyScript, so it has nothing but numbers. Up to `DATA` all is of fixed size; behind it come the
 * bytes of the segment at hand, where the caller of the kernel puts them.
 */

/** `GATHER` of `morton.ts`, u32. */
export const GATHER_AT = 1024;
/** Three of 256 u64, by precision: smallest key in the lower 56 bits, number of rest bits above. */
export const KEYS_AT = GATHER_AT + 4096 * 4;
/** `CHROMA_PACKED` of `symbols.ts`: two of 256 u32, by precision. */
export const CHROMA_AT = KEYS_AT + 3 * 256 * 8;
/** `LUMA_PACKED` of `symbols.ts`: eight of 256 u32, by precision. */
export const LUMA_AT = CHROMA_AT + 2 * 256 * 4;
/** In which order deflate writes the lengths of the codes for lengths: 19 bytes. */
export const ORDER_AT = LUMA_AT + 8 * 256 * 4;

/** Codes of one kind, in three arrays: by the next bits, by length, in order. See `inflate` in `wasm/`. */
export const QUICK_BYTES = 1024;
const CODES_BYTES = QUICK_BYTES + 32 + 288 * 2;
export const LITERALS_AT = ORDER_AT + 32;
export const DISTANCES_AT = LITERALS_AT + CODES_BYTES;
/** Lengths of all codes of a block: 288 literals and 32 distances at most. */
export const LENGTHS_AT = DISTANCES_AT + CODES_BYTES;
/** Where the next symbol of each length goes while codes are made: 17 u16. */
export const STARTS_AT = LENGTHS_AT + 320;

/** Colours of the last four points, u32 each. */
export const TONES_AT = STARTS_AT + 48;
/** Where the next symbol of each luma plane is: four u32. */
export const LUMA_NEXT_AT = TONES_AT + 16;

/** The folded axis of the last four points, u32 each. */
export const ACROSS_AT = LUMA_NEXT_AT + 16;

export const DATA_AT = (ACROSS_AT + 16 + 63) & ~63;
/** So many bytes may be read behind the end of what comes in, and written behind what goes out. */
export const SLACK_BYTES = 32;

/** What `inflate` says when it does not come to its end. */
export const NO_DEFLATE = 1;
export const CUT_OFF = 2;
export const TOO_MANY_BYTES = 3;
export const TOO_FEW_BYTES = 4;
export const MORE_THAN_A_STREAM = 5;
/** What `readPoints` says when it does not come to its end. */
export const REST_TOO_SHORT = 6;
export const REST_TOO_LONG = 7;
export const KEY_BEYOND_NODE = 8;
export const NO_COLOUR = 9;

/**
 * Where things lie in the memory of the kernel that writes segments (`wasm/encode.as.ts`), in bytes. Both sides import
 * this file: it is TypeScript and AssemblyScript, so it has nothing but numbers. Up to `POINTS_AT` all is of fixed
 * size; behind it come the points at hand, where the caller puts them.
 */

/** `SYMBOL_TABLES` of `symbols.ts`: eight of 256 u16, by precision: symbol in the lower byte, number of rest bits above. */
export const SYMBOLS_AT = 1024;
/** `LUMA_PLANE_OF` of `symbols.ts`: two of 256 bytes, by chroma precision. */
export const LUMA_PLANE_AT = SYMBOLS_AT + 8 * 256 * 2;
/** 256 u16: what is behind the point of log2(1 + i / 256), in 4096ths. */
export const LOGARITHMS_AT = LUMA_PLANE_AT + 2 * 256;
/** By pass and digit, where the next key goes: four of 4096 u32 at most. */
export const DIGITS_AT = LOGARITHMS_AT + 256 * 2;
/** Which of 4096 cells are in a sample, a byte each. */
export const CHOSEN_AT = DIGITS_AT + 4 * 4096 * 4;
/** How often each symbol of keys and of folded bits comes: two of 256 u32. */
export const COUNTS_AT = CHOSEN_AT + 4096;
/** Where the next symbol of each luma plane goes, and where each ends, from the first plane on: four u32 each. */
export const LUMA_NEXT_AT = COUNTS_AT + 2 * 256 * 4;
export const LUMA_ENDS_AT = LUMA_NEXT_AT + 16;
/** u, v, w of the last four points and their w without the bits that are folded: four of four i32. */
export const LAST_AT = LUMA_ENDS_AT + 16;
/** Colours of the last four points, u32 each. */
export const LAST_TONES_AT = LAST_AT + 64;

/** Three blocks of a deflate stream, of so many bytes: see `wasm/segment/deflate.ts`. */
export const BLOCKS_AT = LAST_TONES_AT + 16;
export const BLOCK_BYTES = 288 * 5 + 16;
/** Codes of a block, u16, and of bytes with their lengths, u32. */
export const CODES_AT = BLOCKS_AT + 3 * BLOCK_BYTES;
export const CODED_AT = CODES_AT + 288 * 2;
/** The lengths of a block's codes as tokens, what is extra of each, and the codes of tokens: how often, how long, which. */
export const TOKENS_AT = CODED_AT + 256 * 4;
export const TOKEN_EXTRA_AT = TOKENS_AT + 320;
export const TOKEN_COUNTS_AT = TOKEN_EXTRA_AT + 320;
export const TOKEN_LENGTHS_AT = TOKEN_COUNTS_AT + 20 * 4;
export const TOKEN_CODES_AT = TOKEN_LENGTHS_AT + 20;
/** While codes are made: symbols by how often they come, what becomes of that, how many codes have each length. */
export const SORTED_AT = TOKEN_CODES_AT + 20 * 2;
export const WEIGHTS_AT = SORTED_AT + 288 * 4;
export const PER_LENGTH_AT = WEIGHTS_AT + 288 * 4;
/** In which order deflate writes the lengths of the codes for lengths: 19 bytes. */
export const ORDER_AT = PER_LENGTH_AT + 64 * 4;

export const POINTS_AT = (ORDER_AT + 19 + 63) & ~63;
/** So many bytes may be written behind the end of the rest bits. */
export const SPARE_BYTES = 32;

/** What `sortPoints` says when a coordinate has more bits than it should. */
export const TOO_LARGE = 1;

/** RFC 1951, 3.2.7: in which order deflate writes the lengths of the codes for code lengths. */
export const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

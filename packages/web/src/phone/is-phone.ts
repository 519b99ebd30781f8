/** A finger, and nothing finer: it is held in a hand, has a camera, and nothing can be dropped on it. */
export const isPhone = (): boolean => matchMedia("(pointer: coarse) and (hover: none)").matches;

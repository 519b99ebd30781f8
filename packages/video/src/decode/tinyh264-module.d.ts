/** What `tinyh264` has inside: an Emscripten module. Addresses are bytes of its memory. */
declare module "tinyh264/lib/TinyH264.js" {
  export type TinyH264Module = {
    readonly HEAPU8: Uint8Array;
    getValue(address: number, type: "i32"): number;
    _malloc(bytes: number): number;
    _free(address: number): void;
    _h264bsdAlloc(): number;
    _h264bsdInit(storage: number, noOutputReordering: number): number;
    _h264bsdDecode(storage: number, nal: number, size: number, picture: number, width: number, height: number): number;
    _h264bsdShutdown(storage: number): void;
    _h264bsdFree(storage: number): void;
  };
  const create: () => Promise<TinyH264Module>;
  export default create;
}

export type { Report } from "./contract.ts";
export { type Pool, workers } from "./pool.ts";
export { serve } from "./serve.ts";

export { Bus, type BusOptions, type BusStats, type Incoming, type PublishOptions } from "./bus.ts";
export { EXCHANGES, type Exchange, type ExchangeNames, exchangeNames } from "./exchanges.ts";
export type { Headers } from "./waiting.ts";

/** The exchanges that Cairn knows, and under which names (HUB-77). All are fanout and durable, with empty routing keys. */

export const EXCHANGES = [
  "video_frames_exchange",
  "video_stream_exchange",
  "imu_data_exchange",
  "analysis_mode_exchange",
  "processed_frames_exchange",
  "trajectory_data_exchange",
  "ply_fanout_exchange",
  "restart_exchange",
] as const;
export type Exchange = (typeof EXCHANGES)[number];

export type ExchangeNames = Readonly<Record<Exchange, string>>;

/** Shortstr of AMQP 0-9-1. */
const MAX_NAME_BYTES = 255;

/**
 * Each exchange under its own name, or under that which the environment gives it: `IMU_DATA_EXCHANGE=imu`.
 * @throws {RangeError} a name that the broker would not take
 */
export function exchangeNames(environment: Readonly<Record<string, string | undefined>>): ExchangeNames {
  const named = EXCHANGES.map((exchange) => {
    const variable = exchange.toUpperCase();
    const name = environment[variable]?.trim() || exchange;
    if (Buffer.byteLength(name) > MAX_NAME_BYTES || name.startsWith("amq.")) {
      throw new RangeError(`${variable} is ${JSON.stringify(name)}: use up to 255 bytes, not beginning with "amq."`);
    }
    return [exchange, name] as const;
  });
  return Object.fromEntries(named) as Record<Exchange, string>;
}

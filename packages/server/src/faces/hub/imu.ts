/** Samples of motion sensors: from devices into `core.motion`, and flushed to viewers and outlets. Rules HUB-50 to HUB-59. */
import { BadSample, imuText, readImu } from "@cairn/motion";
import type { Device } from "./devices.ts";
import type { HubHouse } from "./house.ts";
import type { DeviceMessage } from "./messages.ts";

/** `imu_data`, flat or nested. */
export function takeImu({ context }: HubHouse, device: Device, { fields, text }: DeviceMessage): void {
  try {
    context.core.motion.push(device.source, readImu(text, fields), device.space);
  } catch (error) {
    if (!(error instanceof BadSample)) throw error;
    device.socket.error(`Invalid IMU data: ${error.message}`);
  }
}

/** Tells viewers and outlets of every sample that is flushed. @returns how to stop */
export function tellImu({ context, viewers, outlets }: HubHouse): () => void {
  return context.core.motion.onFlush((source, samples) => {
    const heard = [...outlets].flatMap((outlet) => outlet.imu?.bind(outlet) ?? []);
    if (viewers.count === 0 && heard.length === 0) return;
    for (const sample of samples) {
      const text = imuText(sample, source);
      for (const hear of heard) hear(source, text);
      if (viewers.count > 0) viewers.tell(imuForViewers(text, source), source);
    }
  });
}

/** HUB-38. @param text the IMU message, its digits as they are */
function imuForViewers(text: string, source: string): string {
  return `{"type":"imu_data","imu_data":${text},"source":${JSON.stringify(source)}}`;
}

/** The devices that this window holds. Who leaves the page lets go of them, or is found out by the missing heartbeats. */
import { type HeldDevice, holdDevice, type SpaceConnection } from "@cairn/client";
import { useCallback, useLayoutEffect, useRef, useState } from "react";

/** A window may be held up for a moment; three of these without a sign of it, and the device is safe. */
const HEARTBEAT_MS = 3000;

export type Held = {
  /** By name. */
  readonly devices: ReadonlyMap<string, HeldDevice>;
  /** @throws {CairnError} why it is not to be had */
  take(device: string, holder: string): Promise<void>;
  release(device: string): Promise<void>;
};

/** @param onLost called when one was taken away, with why */
export function useHeld(connection: SpaceConnection, onLost: (device: string, reason: unknown) => void): Held {
  const [devices, setDevices] = useState<ReadonlyMap<string, HeldDevice>>(new Map());
  const kept = useRef(new Set<HeldDevice>());
  const lost = useRef(onLost);
  lost.current = onLost;

  const forget = useCallback((held: HeldDevice) => {
    kept.current.delete(held);
    setDevices((all) => new Map([...all].filter(([, each]) => each !== held)));
  }, []);

  const take = useCallback(
    async (device: string, holder: string) => {
      const held = await holdDevice(connection, device, { holder, heartbeatMs: HEARTBEAT_MS });
      kept.current.add(held);
      setDevices((all) => new Map(all).set(device, held));
      const onEnd = () => {
        // One that this window let go of itself is not lost.
        if (kept.current.has(held)) lost.current(device, held.lost.reason);
        forget(held);
      };
      if (held.lost.aborted) onEnd();
      else held.lost.addEventListener("abort", onEnd, { once: true });
    },
    [connection, forget],
  );

  const release = useCallback(
    async (device: string) => {
      const held = devices.get(device);
      if (!held) return;
      forget(held);
      await held.release();
    },
    [devices, forget],
  );

  // The page closes its connection in the clean-up of an effect, and those of layout effects come before all of these:
  // what is let go of is still said.
  useLayoutEffect(() => {
    const all = kept.current;
    return () => {
      for (const held of all) held.release().catch(() => {}); // the server finds out by itself
      all.clear();
    };
  }, []);

  return { devices, take, release };
}

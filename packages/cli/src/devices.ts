/** `cairn devices` and `cairn stop`: who takes commands, who holds them, and how everything stops. */
import { CairnApi, type ListedDevice } from "@cairn/client";
import type { SpaceId, TimeNs } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { apiOptions, reach } from "./server-url.ts";

type DevicesOptions = { readonly server: string; readonly json?: boolean };

/** @param space left out: those of all spaces that this token may see */
export async function devices(space: SpaceId | undefined, { server, json }: DevicesOptions): Promise<number> {
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  try {
    const spaces =
      space === undefined ? (await reach(server, () => api.spaces({ signal }))).map(({ id }) => id) : [space];
    const found: { space: SpaceId; devices: ListedDevice[] }[] = [];
    for (const id of spaces) {
      const listed = await reach(server, () => api.devices(id, { signal }));
      if (listed.length > 0) found.push({ space: id, devices: listed });
    }
    if (json) process.stdout.write(`${JSON.stringify({ spaces: found })}\n`);
    else if (found.length === 0) process.stdout.write(`no devices${space === undefined ? "" : ` in ${space}`}\n`);
    else for (const each of found) process.stdout.write(`${each.space}\n${each.devices.map(lineOf).join("")}`);
    return EXIT.ok;
  } finally {
    release();
  }
}

/** @param device left out: all of the space */
export async function stopDevices(
  space: SpaceId,
  device: string | undefined,
  { server, json, by }: DevicesOptions & { readonly by?: string },
): Promise<number> {
  const { signal, release } = interruption();
  try {
    const which = { ...(device !== undefined && { device }), ...(by !== undefined && { by }) };
    const api = new CairnApi(apiOptions(server));
    const stops = await reach(server, () => api.stopDevices(space, which, { signal }));
    // Whoever wanted something to stop must not believe that it has.
    if (stops.length === 0) throw new Problem(`nothing was stopped: ${space} has no devices`);
    if (json) process.stdout.write(`${JSON.stringify({ space, stops })}\n`);
    else for (const { device: name, order } of stops) process.stdout.write(`${name}  stopped (stop ${order})\n`);
    return EXIT.ok;
  } finally {
    release();
  }
}

function lineOf({ device, connected, sinceNs, lease, stopped, clock }: ListedDevice): string {
  const parts = [
    `${connected ? "there" : "away"} since ${timeOf(sinceNs)}`,
    lease ? `held by ${lease.holder}` : "free",
    stopped &&
      `stopped${stopped.by === undefined ? "" : ` by ${stopped.by}`}${stopped.secured ? "" : ", not confirmed"}`,
    clock && `clock ${signed(clock.offsetNs)} ms, within ${(Number(clock.uncertaintyNs) / 1e6).toFixed(1)}`,
  ];
  return `  ${device}  ${parts.filter(Boolean).join("; ")}\n`;
}

const timeOf = (ns: TimeNs): string => new Date(Number(BigInt(ns) / 1_000_000n)).toISOString();

/** Milliseconds that the server's clock is ahead of the device's. */
function signed(ns: string): string {
  const ms = Number(ns) / 1e6;
  return `${ms < 0 ? "" : "+"}${ms.toFixed(1)}`;
}

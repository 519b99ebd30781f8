/**
 * The devices of a space: who holds each, taking and letting go, what can be told it in one word, and a stop that is
 * always in reach, for everyone who watches. Rules: docs/spec/control.md.
 */
import type { CairnApi, SpaceConnection } from "@cairn/client";
import type { ControlState, DeviceState } from "@cairn/protocol";
import { type JSX, useState } from "react";
import { keep, kept } from "../kept.ts";
import type { Say } from "../toast-list.tsx";
import { inWords } from "../words.ts";
import { useHeld } from "./use-held.ts";
import "./control.css";

type DevicesPanelProps = {
  space: string;
  api: CairnApi;
  connection: SpaceConnection;
  control: ControlState | undefined;
  say: Say;
};

const NAME = "cairn.name";

export function DevicesPanel({ space, api, connection, control, say }: DevicesPanelProps): JSX.Element | undefined {
  const [name, setName] = useState(() => kept(NAME) ?? "");
  const held = useHeld(connection, (device, reason) =>
    say(`You do not hold ${device} any more`, inWords(reason), "bad"),
  );
  // Those that have gone matter while someone holds them or a stop stands.
  const devices = Object.values(control?.devices ?? {}).filter(
    ({ connected, lease, stopped }) => connected || lease || stopped,
  );
  if (devices.length === 0) return undefined;

  const attempt = (failed: string, work: Promise<unknown>) => {
    work.catch((error: unknown) => say(failed, inWords(error), "bad"));
  };
  const rename = (wanted: string) => {
    setName(wanted);
    keep(NAME, wanted);
  };
  const holder = name.trim();
  // By a request of its own: it needs no line that may be about to break.
  const stop = (device?: string) => {
    const names = { ...(device !== undefined && { device }), ...(holder !== "" && { by: holder }) };
    attempt("Not stopped: try again", api.stopDevices(space, names));
  };

  return (
    <section className="card devices" aria-label="Devices">
      <button type="button" className="stop" onClick={() => stop()}>
        STOP
        <span>{devices.length === 1 ? devices[0]!.device : `all ${devices.length} devices`}</span>
      </button>
      <ul>
        {devices.map((device) => (
          <DeviceRow
            key={device.device}
            device={device}
            mine={held.devices.get(device.device)?.lease === device.lease?.lease}
            named={holder !== ""}
            several={devices.length > 1}
            onStop={() => stop(device.device)}
            onTake={() => attempt("Not taken", held.take(device.device, holder))}
            onRelease={() => attempt("Not let go", held.release(device.device))}
            onClear={() => attempt("Still stopped", held.devices.get(device.device)!.clear(device.stopped?.order))}
            onSend={(kind) => attempt(`No ${kind}`, held.devices.get(device.device)!.send(kind))}
          />
        ))}
      </ul>
      <label>
        <span>Your name</span>
        <input
          value={name}
          maxLength={80}
          placeholder="Say who you are to take one"
          onChange={({ target }) => rename(target.value)}
        />
      </label>
    </section>
  );
}

type DeviceRowProps = {
  device: DeviceState;
  /** This window holds it. */
  mine: boolean;
  named: boolean;
  several: boolean;
  onStop(): void;
  onTake(): void;
  onRelease(): void;
  onClear(): void;
  onSend(kind: string): void;
};

function DeviceRow(props: DeviceRowProps): JSX.Element {
  const { device, named, several, onStop, onTake, onRelease, onClear, onSend } = props;
  const { device: name, connected, lease, stopped, kinds } = device;
  const mine = props.mine && lease !== undefined;
  // What needs to be told more than its name is steered by a program.
  const words = Object.entries(kinds).filter(([, { required = [] }]) => required.length === 0);
  return (
    <li data-device={name} data-stopped={stopped !== undefined}>
      <div>
        <strong>{name}</strong>
        <span>{statusOf(device, mine)}</span>
      </div>
      <div className="buttons">
        {several && !stopped && (
          <button type="button" className="button small danger" aria-label={`Stop ${name}`} onClick={onStop}>
            Stop
          </button>
        )}
        {mine && stopped && (
          <button type="button" className="button small" aria-label={`Clear the stop of ${name}`} onClick={onClear}>
            Clear
          </button>
        )}
        {mine ? (
          <button type="button" className="button small" aria-label={`Release ${name}`} onClick={onRelease}>
            Release
          </button>
        ) : (
          <button
            type="button"
            className="button small"
            aria-label={`Take ${name}`}
            title={named ? undefined : "Say who you are first"}
            disabled={!named || lease !== undefined}
            onClick={onTake}
          >
            Take
          </button>
        )}
      </div>
      {mine && connected && !stopped && words.length > 0 && (
        <div className="words">
          {words.map(([kind]) => (
            <button key={kind} type="button" className="button small" onClick={() => onSend(kind)}>
              {kind}
            </button>
          ))}
          <output aria-label={`Last command to ${name}`}>{lastOf(device)}</output>
        </div>
      )}
    </li>
  );
}

function statusOf({ connected, lease, stopped }: DeviceState, mine: boolean): string {
  const who = lease && (mine ? "You hold it" : `Held by ${lease.holder}`);
  const stop = stopped && `${stopped.secured ? "Stopped" : "Stopping"}${stopped.by ? `, by ${stopped.by}` : ""}`;
  return [stop, who ?? (stop ? undefined : "Free"), connected ? undefined : "away"].filter(Boolean).join(" · ");
}

function lastOf({ commands, lease }: DeviceState): string {
  const last = commands.at(-1);
  if (!last || last.lease !== lease?.lease) return "";
  return `${last.kind}: ${last.message ?? last.outcome.replace("_", " ")}`;
}

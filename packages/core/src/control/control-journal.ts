/** What steering writes into the log of its space: facts in the order in which they came about, and of refusals not too many. */
import { CairnError, type EventData, type EventDraft } from "@cairn/protocol";
import type { Space } from "../space/spaces.ts";
import type { ControlClock } from "./control-clock.ts";
import type { ControlTotals } from "./control-totals.ts";
import { SeldomJournal } from "./seldom-journal.ts";

type Refused = EventData<"control.refused">;
/** What somebody wanted. */
export type Asked = Omit<Refused, "code" | "more">;
type Relayed = EventData<"control.relayed">;

/** Relayed commands are noted down one by one up to this. */
const RELAYED_PER_S = 10;
const RELAYED_BURST = 50;

export class ControlJournal {
  readonly #space: Space;
  readonly #clock: ControlClock;
  readonly #totals: ControlTotals;
  readonly #onError: (error: unknown) => void;
  readonly #refusals: SeldomJournal<Refused>;
  readonly #relays = new Map<string, SeldomJournal<Relayed>>();
  readonly #writing = new Set<Promise<void>>();

  constructor(space: Space, clock: ControlClock, totals: ControlTotals, onError: (error: unknown) => void) {
    this.#space = space;
    this.#clock = clock;
    this.#totals = totals;
    this.#onError = onError;
    this.#refusals = new SeldomJournal<Refused>(clock, (data) => this.note([{ type: "control.refused", data }]));
  }

  /** Resolves when it is on disk. @throws {CairnError} `store.…`: it is not in the log */
  write(draft: EventDraft): Promise<unknown> {
    return this.#space.log.append([draft]);
  }

  /** Needs nobody to wait for it; resolves when it is in the log or cannot be. */
  note(drafts: readonly EventDraft[]): Promise<void> {
    if (drafts.length === 0) return Promise.resolve();
    const written = this.#space.log.append(drafts).then(
      () => {},
      (error: unknown) => {
        // Of a space that is closing nobody misses the last words.
        if (!this.#space.signal.aborted) this.#onError(error);
      },
    );
    this.#writing.add(written);
    void written.then(() => this.#writing.delete(written));
    return written;
  }

  /** That the server or its disk could not is nobody's attempt. */
  refused({ device, by, ...asked }: Asked, { code }: CairnError): void {
    if (/^(store|server|log|space)\./.test(code)) return;
    this.#totals.refused++;
    const names = {
      ...(device !== undefined && { device: device.slice(0, 64) }),
      ...(by !== undefined && by !== "" && { by: by.slice(0, 80) }),
    };
    this.#refusals.note({ ...asked, ...names, code });
  }

  /** Does as asked; a refusal is noted down. */
  async judged<T>(asked: Asked, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof CairnError) this.refused(asked, error);
      throw error;
    }
  }

  relayed(relayed: Relayed): void {
    this.#totals.relayed++;
    let journal = this.#relays.get(relayed.device);
    if (!journal) {
      const write = (data: Relayed) => this.note([{ type: "control.relayed", data }]);
      journal = new SeldomJournal<Relayed>(this.#clock, write, RELAYED_PER_S, RELAYED_BURST);
      this.#relays.set(relayed.device, journal);
    }
    journal.note(relayed);
  }

  /** Everything is in the log. */
  async close(): Promise<void> {
    this.#refusals.flush();
    for (const journal of this.#relays.values()) journal.flush();
    await Promise.all(this.#writing);
  }
}

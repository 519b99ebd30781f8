/**
 * For tests: a broker that speaks as much AMQP as a `Bus` needs to come up and publish, and does what a real one does only
 * by chance: it breaks lines before it has confirmed anything, or stops answering.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

const FRAME = { method: 1, body: 3 };
const FRAME_END = 0xce;
/** Of a frame: type, channel and size before what it carries, a byte after it. */
const [BEFORE, AFTER] = [7, 1];
const NAMES = Buffer.from("\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US", "latin1");
const LIMITS = Buffer.from([0, 0, 0, 2, 0, 0, 0, 60]);

type Method = readonly [classId: number, id: number, fields?: Buffer];

/** What is asked, and the answer. */
const ANSWERS: Readonly<Record<string, Method>> = {
  "10.11": [10, 30, LIMITS], // connection: start-ok, tune
  "10.40": [10, 41, Buffer.alloc(1)], // open
  "10.50": [10, 51], // close
  "20.10": [20, 11, Buffer.alloc(4)], // channel: open
  "20.40": [20, 41], // close
  "40.10": [40, 11], // exchange: declare
  "85.10": [85, 11], // confirm: select
};
const PUBLISH = "60.40";

export class FakeBroker {
  readonly #server: Server;
  readonly #lines = new Set<Socket>();
  /** Bodies of what was published, in the order in which they came. */
  readonly bodies: string[] = [];
  confirms = true;
  /** It takes what comes, and says nothing any more. */
  mute = false;
  /** The answer to this, as `class.method`, is the last thing that it says. */
  muteAfter = "";

  private constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(): Promise<FakeBroker> {
    const broker = new FakeBroker();
    await once(broker.#server.listen(0, "127.0.0.1"), "listening");
    return broker;
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Without a word, as when it is killed. */
  breakLines(): void {
    for (const line of this.#lines) line.destroy();
  }

  close(): void {
    this.breakLines();
    this.#server.close();
  }

  #serve(socket: Socket): void {
    this.#lines.add(socket);
    socket.on("close", () => this.#lines.delete(socket));
    socket.on("error", () => {});
    const published = new Map<number, number>();
    const say = (channel: number, method: Method) => {
      if (!this.mute) socket.write(methodFrame(channel, method));
    };
    let left = Buffer.alloc(0);
    let greeted = false;
    socket.on("data", (bytes) => {
      left = Buffer.concat([left, bytes]);
      if (!greeted) {
        if (left.length < 8) return;
        left = left.subarray(8);
        greeted = true;
        say(0, [10, 10, NAMES]);
      }
      while (left.length >= BEFORE && left.length >= BEFORE + left.readUInt32BE(3) + AFTER) {
        const end = BEFORE + left.readUInt32BE(3);
        const [type, channel, carried] = [left[0], left.readUInt16BE(1), left.subarray(BEFORE, end)];
        left = left.subarray(end + AFTER);
        if (type === FRAME.body) this.bodies.push(carried.toString());
        if (type !== FRAME.method) continue;
        const asked = `${carried.readUInt16BE(0)}.${carried.readUInt16BE(2)}`;
        const answer = ANSWERS[asked];
        if (answer) say(channel, answer);
        this.mute ||= asked === this.muteAfter;
        if (asked !== PUBLISH) continue;
        const tag = (published.get(channel) ?? 0) + 1;
        published.set(channel, tag);
        if (this.confirms) say(channel, [60, 80, confirmed(tag)]);
      }
    });
  }
}

function methodFrame(channel: number, [classId, id, fields = Buffer.alloc(0)]: Method): Buffer {
  const head = Buffer.alloc(BEFORE + 4);
  head.writeUInt8(FRAME.method, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(4 + fields.length, 3);
  head.writeUInt16BE(classId, BEFORE);
  head.writeUInt16BE(id, BEFORE + 2);
  return Buffer.concat([head, fields, Buffer.from([FRAME_END])]);
}

function confirmed(tag: number): Buffer {
  const fields = Buffer.alloc(9);
  fields.writeBigUInt64BE(BigInt(tag));
  return fields;
}

/**
 * A private RabbitMQ for tests: on loopback, on free ports, with its data in a temporary folder, so that nothing of an
 * installed one is touched. Needs `rabbitmq-server` and `epmd`, which Debian's package brings.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "./ports.ts";

/** A cold start takes some ten seconds on a busy machine. */
const START_MS = 120_000;
/** Not its own script in /usr/sbin, which drops to a user that may not write the temporary folder. */
const PROGRAMS = "/usr/lib/rabbitmq/lib";

/** Where the server's script is; undefined: not installed. */
export function brokerProgram(): string | undefined {
  const versions = existsSync(PROGRAMS)
    ? readdirSync(PROGRAMS).filter((name) => name.startsWith("rabbitmq_server-"))
    : [];
  return versions.map((name) => join(PROGRAMS, name, "sbin/rabbitmq-server")).find((path) => existsSync(path));
}

export class TestBroker {
  readonly #dir: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #epmdPort: number;
  #child: ChildProcess | undefined;
  readonly port: number;

  private constructor(dir: string, ports: readonly number[], settings: string) {
    const [port = 0, between = 0, epmd = 0] = ports;
    this.#dir = dir;
    this.port = port;
    this.#epmdPort = epmd;
    this.#environment = {
      PATH: process.env.PATH,
      HOME: dir,
      RABBITMQ_NODENAME: `cairn${port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(between),
      RABBITMQ_MNESIA_BASE: join(dir, "data"),
      RABBITMQ_LOG_BASE: join(dir, "log"),
      RABBITMQ_PID_FILE: join(dir, "pid"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, "plugins"),
      RABBITMQ_CONF_ENV_FILE: "/dev/null",
      ERL_EPMD_ADDRESS: "127.0.0.1",
      ERL_EPMD_PORT: String(epmd),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} ${settings}`,
    };
  }

  /** @param settings as arguments of Erlang's: `-rabbit consumer_timeout 1000` */
  static async start(settings = ""): Promise<TestBroker> {
    const dir = await mkdtemp(join(tmpdir(), "cairn-broker-"));
    await writeFile(join(dir, "plugins"), "[].");
    const broker = new TestBroker(dir, await freePorts(3), settings);
    try {
      await broker.start();
    } catch (error) {
      await broker.close();
      throw error;
    }
    return broker;
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  /** Starts it, also again after a kill, on the same port and with the same data. */
  async start(): Promise<void> {
    const program = brokerProgram();
    if (!program) throw new Error("rabbitmq-server is not installed");
    const child = spawn(program, { env: this.#environment, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes: Buffer) => {
        said = (said + bytes).slice(-4000);
      });
    }
    this.#child = child;
    for (const from = performance.now(); !(await answers(this.port)); await delay(100)) {
      if (child.exitCode !== null) throw new Error(`the broker ended with ${child.exitCode}: ${said}`);
      if (performance.now() - from > START_MS) throw new Error(`the broker did not start: ${said}`);
    }
  }

  /** As the power does it. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child?.pid || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    process.kill(-child.pid, "SIGKILL");
    await gone;
    for (; await answers(this.port); await delay(50));
  }

  /** The end of what its log says that went wrong. */
  complaints(): string {
    const folder = join(this.#dir, "log");
    const lines = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
    return lines
      .filter((line) => /\[(error|warning)\]/.test(line))
      .join(" | ")
      .slice(-300);
  }

  async close(): Promise<void> {
    await this.kill();
    try {
      const environment = { ...process.env, ERL_EPMD_PORT: String(this.#epmdPort) };
      execFileSync("epmd", ["-kill"], { env: environment, stdio: "ignore" });
    } catch {
      // It belongs to another node by now, or is gone.
    }
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Figures that are kept elsewhere and read off whenever somebody asks for the metrics. */
import { Counter, Gauge, type Registry } from "prom-client";

export type ReadOff = {
  gauge(name: string, help: string, read: () => number): void;
  counter(name: string, help: string, read: () => number): void;
  /** One counter with a label, by whose values `read` answers. */
  counters(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void;
};

export function readOff(registry: Registry): ReadOff {
  const registers = [registry];
  return {
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    counter(name, help, read) {
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    },
    counters(name, help, label, read) {
      new Counter({
        name,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset();
          for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
        },
      });
    },
  };
}

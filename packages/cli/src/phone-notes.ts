/** What is said to whoever wants to open this server on a phone: where it is, as a code to scan too, and what it asks. */
import type { TokenGrant } from "@cairn/server";
import { create } from "qrcode";

/** Behind the `#`, which browsers keep to themselves: a token does not come to any log. */
export function captureUrl(server: string, token: string | undefined): string {
  return `${server}/capture${token === undefined ? "" : `#${new URLSearchParams({ token }).toString()}`}`;
}

/**
 * The token for a phone: of those that may do everywhere what a phone does, the one that may do least. Video takes
 * `operate`; with `contribute` it can take photos.
 */
export function phoneToken(all: readonly TokenGrant[], admin: string | undefined): TokenGrant | undefined {
  const everywhere = all.filter(({ spaces }) => spaces === undefined);
  const of = (role: TokenGrant["role"]) => everywhere.find((each) => each.role === role);
  const one: TokenGrant | undefined = admin === undefined ? undefined : { token: admin, role: "admin" };
  return of("operate") ?? of("admin") ?? one ?? of("contribute");
}

/** Dark on light whatever the terminal's own colours are, two modules to a character, with the quiet zone of the standard. */
export function terminalCode(text: string): string {
  const QUIET = 2;
  const { modules } = create(text, { errorCorrectionLevel: "L" });
  const dark = (row: number, column: number) =>
    row >= 0 &&
    column >= 0 &&
    row < modules.size &&
    column < modules.size &&
    modules.data[row * modules.size + column] === 1;
  const lines: string[] = [];
  for (let row = -QUIET; row < modules.size + QUIET; row += 2) {
    let line = "";
    for (let column = -QUIET; column < modules.size + QUIET; column++) {
      const [above, below] = [dark(row, column), dark(row + 1, column)];
      line += above ? (below ? "█" : "▀") : below ? "▄" : " ";
    }
    lines.push(`\x1b[30;107m${line}\x1b[0m`);
  }
  return `${lines.join("\n")}\n`;
}

type PhoneNotes = {
  /** Of this server in the local network, the likeliest first. */
  readonly urls: readonly string[];
  /** SHA-256 of the certificate; left out: it is plain http. */
  readonly fingerprint?: string;
  /** There is an authority to install. */
  readonly own: boolean;
  readonly token: TokenGrant | undefined;
  readonly code: boolean;
};

/** Lines for the terminal. */
export function phoneNotes({ urls, fingerprint, own, token, code }: PhoneNotes): string {
  const print = fingerprint && `Its certificate's SHA-256 fingerprint is\n  ${fingerprint}`;
  const [first, ...others] = urls;
  if (first === undefined) {
    return `${["cairn: no phone can call this address of the machine; --host 0.0.0.0 opens all", ...(print ? [print] : [])].join("\n")}\n`;
  }
  const lines = [
    "",
    ...(code ? [terminalCode(captureUrl(first, token?.token))] : []),
    `On a phone in this network: ${first}/capture`, // without the token: others may see this screen
    ...others.map((each) => `                       or: ${each}/capture`),
  ];
  if (token && code)
    lines.push(`The code carries a token with the role ${token.role}: show it only to those who may have it.`);
  if (!print) lines.push("By http a phone's camera stays closed to the page; cairn serve --https opens it.");
  if (own) {
    lines.push(
      "The phone warns once, because the certificate is this server's own. Go on there: Advanced, Proceed (Android);",
      "Show Details, visit this website (iPhone). For no warning, and for live video on an iPhone, install this first:",
      `  ${first}/certificate`,
    );
  }
  if (print) lines.push(print);
  return `${lines.join("\n")}\n\n`;
}

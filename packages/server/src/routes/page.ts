import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Type } from "@cairn/protocol/schema";
import send from "@fastify/send";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Nothing from elsewhere runs in the page; kernels and workers are its own. */
const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "worker-src 'self' blob:",
  "connect-src 'self' ws: wss: blob: data:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'self'",
].join("; ");

const SAMPLE_TYPES = /\.(jpe?g|png|webp|json)$/i;

type PageOptions = {
  readonly version: string;
  /** Paths to name to programs. */
  readonly endpoints: () => readonly string[];
  readonly pageDir?: string;
  readonly sampleDir?: string;
  /** The face that owns the place: the page shows its own. */
  readonly face?: string;
};

/** The web application, its files, and the photos of the sample capture (GEN-7), from the root of `app`. */
export async function pageRoutes(app: FastifyInstance, options: PageOptions): Promise<void> {
  const { version, endpoints, face } = options;
  const { pageDir = folder("../../../web/dist"), sampleDir = folder("../../../sample/photos") } = options;
  // At the root they are described; behind a prefix they are the same once more.
  const atRoot = app.prefix === "";
  const page = existsSync(`${pageDir}/index.html`) ? await readFile(`${pageDir}/index.html`, "utf8") : undefined;
  const ownPage =
    face === undefined ? page : page?.replace("<head>", `<head><meta name="cairn-face" content="${face}" />`);

  const Online = Type.Object({
    status: Type.Literal("online"),
    api: Type.Literal("Cairn"),
    version: Type.String(),
    endpoints: Type.Array(Type.String()),
  });
  const sendPage = (reply: FastifyReply) =>
    reply
      .header("cache-control", "no-cache")
      .type("text/html; charset=utf-8")
      .header("content-security-policy", PAGE_POLICY)
      .send(ownPage);
  const described = { operationId: "root", response: { 200: Online } };
  app.get("/", { schema: atRoot ? described : { hide: true } }, async (request, reply) => {
    reply.header("vary", "Accept").header("cache-control", "no-cache");
    if (page && /\btext\/html\b/.test(request.headers.accept ?? "")) return sendPage(reply);
    return reply.send({ status: "online", api: "Cairn", version, endpoints: [...endpoints()] });
  });

  if (page) {
    for (const entry of await readdir(pageDir, { withFileTypes: true })) {
      // Files whose name holds a hash of their content never change.
      const cacheControl = entry.name === "assets" ? "public, max-age=31536000, immutable" : "no-cache";
      if (entry.isDirectory()) filesBelow(app, `/${entry.name}`, `${pageDir}/${entry.name}`, cacheControl);
      else
        app.get(`/${entry.name}`, HIDDEN, (request, reply) =>
          sendFile(request, reply, pageDir, entry.name, cacheControl),
        );
    }
  }

  if (!atRoot) return;
  // Its files are named relative to it, so it has one address, without a slash.
  if (page) {
    app.get("/capture", { schema: { hide: true } }, async ({ url }, reply) => {
      const [path = "", query = ""] = url.split(/(?=\?)/, 2);
      return path.endsWith("/") ? reply.redirect(`../capture${query}`) : sendPage(reply);
    });
  }
  const photos = existsSync(sampleDir)
    ? (await readdir(sampleDir)).filter((name) => SAMPLE_TYPES.test(name)).sort()
    : [];
  const Sample = Type.Object({ photos: Type.Array(Type.String()) });
  app.get(
    "/sample",
    { config: { place: "any" }, schema: { operationId: "listSample", response: { 200: Sample } } },
    async () => ({
      photos: photos.filter((name) => !name.endsWith(".json")),
    }),
  );
  if (photos.length) filesBelow(app, "/sample", sampleDir, "public, max-age=3600");
}

const HIDDEN = { schema: { hide: true } };

function filesBelow(app: FastifyInstance, path: string, root: string, cacheControl: string): void {
  app.get<{ Params: { "*": string } }>(`${path}/*`, HIDDEN, (request, reply) =>
    sendFile(request, reply, root, request.params["*"], cacheControl),
  );
}

/** What is no file of `root` is 404 like everything else that is not there. */
async function sendFile(
  { raw }: FastifyRequest,
  reply: FastifyReply,
  root: string,
  name: string,
  cacheControl: string,
) {
  const { type, statusCode, headers, stream } = await send(raw, `/${encodeURI(name)}`, {
    root,
    index: false,
    cacheControl: false,
  });
  if (type !== "file") return reply.callNotFound();
  if (name.endsWith(".html")) reply.header("content-security-policy", PAGE_POLICY);
  return reply.code(statusCode).headers(headers).header("cache-control", cacheControl).send(stream);
}

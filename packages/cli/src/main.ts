/** The command line: what can be said, and which function does it. Only the one that is asked for is loaded. */
import { readFileSync } from "node:fs";
import { DEFAULT_SETTINGS, Preset, RecordingFormat } from "@cairn/protocol";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EXIT, report as reportError } from "./exit.ts";
import { FORMATS } from "./export-formats.ts";
import { parseCameraParams, parseCameraSize } from "./photos.ts";
import { LOG_LEVELS, parseAxes, parseEngine, parseListener, parseMeshFolder, parseSpaceId } from "./serve-options.ts";
import { DEFAULT_SERVER, parseServerUrl } from "./server-url.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text) || Number(text) < low || Number(text) > high) {
      throw new InvalidArgumentError(`A whole number from ${low} to ${high}.`);
    }
    return Number(text);
  };
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError("A number above 0.");
  return value;
}

/** Once more. */
function more(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function percentage(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= 100)) throw new InvalidArgumentError("A number from 0 to 100.");
  return value;
}

const serverOption = () =>
  new Option("--server <url>", "where the server is")
    .env("CAIRN_SERVER")
    .default(DEFAULT_SERVER)
    .argParser(parseServerUrl);
const cameraOption = () =>
  new Option(
    "--camera-params <fx,fy,cx,cy>",
    "known calibration, pixels of the upright photo, as in COLMAP's PINHOLE; scaled and turned with other photos",
  ).argParser(parseCameraParams);
const cameraSizeOption = () =>
  new Option(
    "--camera-size <WIDTHxHEIGHT>",
    "the size of upright photo that the calibration is for (default: that of the first photo)",
  ).argParser(parseCameraSize);
const presetOption = (text: string) =>
  new Option("--preset <name>", text).choices(Preset.anyOf.map((one) => one.const));
const rebuildOption = (text: string) => new Option("--rebuild-every <n>", text).argParser(wholeNumber(2, 1000));

/** Parses, runs, and sets the exit code; never throws. */
export async function run(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failed),
  );
  // What is said beside is lost with the terminal that showed it; a server goes on.
  process.stderr.on("error", () => {});
  try {
    await program().parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    else process.exitCode = reportError(error);
  }
}

function program(): Command {
  const cairn = new Command("cairn")
    .description("Photos in; camera positions and a coloured 3D model out, live, for everyone who watches.")
    .version(version)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "cairn: ")) })
    .showHelpAfterError("(cairn --help shows what can be said)")
    .exitOverride()
    .addHelpText("after", EXAMPLES);

  const command = (usage: string, summary: string) =>
    cairn.command(usage).summary(summary).description(summary).copyInheritedSettings(cairn);

  command("serve", "start a server; prints its address once it is ready")
    .option("--port <n>", "port; 0 picks a free one", wholeNumber(0, 65_535), 8000)
    .addOption(
      new Option(
        "--host <address>",
        "address to listen on (default: 127.0.0.1, with --https 0.0.0.0: all of them)",
      ).env("BIND_HOST"),
    )
    .option("--data <dir>", "where everything is kept", ".cairn")
    .addOption(
      new Option("--engine <engine>", "embedded, or command:PROGRAM that is run for each photo")
        .argParser(parseEngine)
        .default("embedded"),
    )
    .option("--listen <face=port>", "a listener tied to one face; repeatable", parseListener)
    .option(
      "--mesh-dir <[name=]dir>",
      "a folder of designs to watch, `current` without a name; repeatable (default: MESH_DIR, else within the data)",
      parseMeshFolder,
    )
    .option("--imu-axes <axes>", "how axes of motion sensors are turned (default: x,y,z)", parseAxes)
    .option("--tokens <file>", "who may come in and do what: JSON of tokens with role and spaces")
    .option("--https", "for phones in the network: https as well as http, by a certificate of its own or --tls-cert's")
    .option("--qr", "print the code that a phone scans also where no terminal is")
    .option("--tls-cert <file>", "certificate, PEM; with --tls-key every listener is https")
    .option("--tls-key <file>", "its key, PEM")
    .option(
      "--trust-proxy <address>",
      "a proxy, or a network of some, whose word on who asks is believed; repeatable",
      more,
    )
    .option("--allow-origin <origin>", "pages that may talk to the server; repeatable (default: any)", more)
    .option("--max-sessions <n>", "depth sessions at once (default: 100)", wholeNumber(1, 100_000))
    .option("--session-timeout <s>", "a depth session goes when idle for so long (default: 3600)", positiveNumber)
    .option("--session-images <n>", "images in one session of image tools (default: 100)", wholeNumber(1, 100_000))
    .option("--image-mib <n>", "largest file of image tools, MiB (default: 20)", wholeNumber(1, 64))
    .option(
      "--socket-rate <n>",
      "messages a second of one face's socket (default: 100; the hub's 5000)",
      wholeNumber(1, 1_000_000),
    )
    .option(
      "--rabbitmq <url>",
      "publish to a RabbitMQ and hear it, amqp://user:password@host (default: RABBITMQ_URL, else off)",
    )
    .option("--no-keyframes", "live video builds no models: it is relayed, recorded and no more")
    .option("--hub-space <id>", "the space of drones and phones that name none", parseSpaceId, "hub")
    .option("--no-hub-space", "what they show is relayed and becomes no model")
    .option("--announce-restart", "tell those on the RabbitMQ at the start that everyone begins anew")
    .addOption(rebuildOption("in new spaces, refine everything after every n photos (default: 10)"))
    .addOption(presetOption(`of new spaces: how much is made of each photo (default: "${DEFAULT_SETTINGS.preset}")`))
    .addOption(new Option("--log-level <level>", "how much to say on stderr").choices(LOG_LEVELS).default("warn"))
    .action(async (options) => finish(await (await import("./serve.ts")).serve(options)));

  command(
    "push <space> <photos...>",
    "send photos, videos and folders of them into a space, made if it is not there; - reads names from standard input",
  )
    .addOption(serverOption())
    .addOption(cameraOption())
    .addOption(cameraSizeOption())
    .addOption(rebuildOption("in a space made now, refine everything after every n photos"))
    .addOption(presetOption("in a space made now, how much is made of each photo"))
    .option("--wait", "until every photo has its verdict and the model is refined")
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, photos, options) => finish(await (await import("./push.ts")).push(space, photos, options)));

  command("status <space>", "photos, cameras and points so far, and what is being done")
    .addOption(serverOption())
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, options) => finish(await (await import("./status.ts")).status(space, options)));

  command(
    "devices [space]",
    "who takes commands: since when, who holds it, what its clock says; of all spaces without one",
  )
    .addOption(serverOption())
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, options) => finish(await (await import("./devices.ts")).devices(space, options)));

  command("stop <space> [device]", "emergency stop of a device, or of all; whoever holds one may clear it")
    .addOption(serverOption())
    .option("--by <name>", "your name, for those who wonder who it was")
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, device, options) =>
      finish(await (await import("./devices.ts")).stopDevices(space, device, options)),
    );

  command("rebuild <space>", "refine everything now, also with another preset, which then holds for what comes")
    .addOption(serverOption())
    .addOption(presetOption("how much is made of each photo from now on"))
    .option("--wait", "until it is done")
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, options) => finish(await (await import("./rebuild.ts")).rebuild(space, options)));

  command("report <space>", "what the model rests on and where it is weak: photos, errors, pairs, surface")
    .addOption(serverOption())
    .option("--json", "print the whole report as one JSON object")
    .action(async (space, options) => finish(await (await import("./report.ts")).report(space, options)));

  command("export <space>", "save the model: points for any program, or cameras for COLMAP and nerfstudio")
    .addOption(serverOption())
    .addOption(new Option("--format <format>", "what the file is").choices(FORMATS).default("ply"))
    .requiredOption(
      "--out <path>",
      "a file; - is standard output; for colmap also a folder, unless the name ends in .zip",
    )
    .action(async (space, options) => finish(await (await import("./export.ts")).exportModel(space, options)));

  command("mesh <space>", "make a surface of the points: a file that ends in .glb, .obj, .stl or .ply")
    .addOption(serverOption())
    .requiredOption("--out <file>", "where it goes; the ending says which kind")
    .option("--detail <n>", "so much finer than the points ask for, 0.1 to 10; 1 when left out", positiveNumber)
    .option("--voxel <length>", "how fine in units of the model, instead", positiveNumber)
    .option("--faces <n>", "at most so many triangles", wholeNumber(4, 2 ** 31 - 1))
    .option("--layer <n>", "of this layer only, as status says it", wholeNumber(1, 2 ** 31 - 1))
    .option("--json", "print one JSON object instead of a line")
    .action(async (space, options) => finish(await (await import("./mesh.ts")).makeMesh(space, options)));

  command("record <space>", "write down what comes live, until Ctrl-C: video as MP4, everything as MCAP")
    .addOption(serverOption())
    .option(
      "--channels <channel...>",
      "video/NAME, imu/NAME, signals/NAME (NAME may be *), events, control, poses (default: all)",
    )
    .addOption(
      new Option("--formats <format...>", "mp4, mcap (default: both)").choices(
        RecordingFormat.anyOf.map((one) => one.const),
      ),
    )
    .option("--name <name>", "what it is called")
    .option("--seconds <n>", "at most so long (default: an hour)", positiveNumber)
    .option("--max-mib <n>", "at most so large (default: 4096)", wholeNumber(1, 2 ** 20))
    .option("--out <dir>", "fetch its files into this folder")
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, options) => finish(await (await import("./record.ts")).record(space, options)));

  command("rollback <space>", "show an earlier generation of the model again; said again, the one before it")
    .addOption(serverOption())
    .option("--to <n>", "this generation", wholeNumber(1, 2 ** 31 - 1))
    .option("--list", "only say which there are; * is shown")
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, options) => finish(await (await import("./rollback.ts")).rollback(space, options)));

  command(
    "import <space> <file>",
    "add a PLY, LAS, LAZ, COPC or GLB cloud as a layer; the space is made if it is not there",
  )
    .addOption(serverOption())
    .option("--spacing <length>", "points closer than this may merge, in the file's unit", positiveNumber)
    .option("--json", "print one JSON object instead of lines")
    .action(async (space, file, options) =>
      finish(await (await import("./import.ts")).importCloud(space, file, options)),
    );

  command("remove <space>", "take an imported cloud out of a space")
    .argument("<layer>", "its number, as status says it", wholeNumber(1, 2 ** 31 - 1))
    .addOption(serverOption())
    .action(async (space, layer, options) =>
      finish(await (await import("./remove.ts")).removeLayer(space, layer, options)),
    );

  command(
    "reconstruct <photos...>",
    "a model from photos, or folders of them, without a server; - reads standard input",
  )
    .requiredOption("--out <dir>", "folder for cameras.txt, images.txt, points3D.txt, points.ply and report.json")
    .addOption(cameraOption())
    .addOption(cameraSizeOption())
    .option("--shuffle", "take the photos in another order")
    .option("--seed <n>", "same photos, order and seed: same model", wholeNumber(0, 2 ** 31 - 1), 1)
    .addOption(rebuildOption("refine everything after every n photos").default(DEFAULT_SETTINGS.rebuildEvery))
    .addOption(presetOption("how much is made of each photo").default(DEFAULT_SETTINGS.preset))
    .option("--json", "print the report as one JSON object instead of lines")
    .action(async (photos, options) => finish(await (await import("./reconstruct.ts")).reconstruct(photos, options)));

  command("session", "photos or a video into a depth session, and its model as a GLB with the cameras")
    .addOption(serverOption())
    .option("--images <photos...>", "the photos; - reads standard input")
    .option("--video <file>", "a video, instead, of which frames are taken")
    .option("--num-frames <n>", "so many frames of the video, evenly spread", wholeNumber(1, 1000), 20)
    .requiredOption("--out <file>", "the GLB; - is standard output")
    .option("--incremental", "write what there is so far again and again while photos are placed")
    .option("--process-res <pixels>", "side to which photos are resized", wholeNumber(56, 4096))
    .addOption(
      new Option("--process-res-method <method>", "which side that is: the longer or the shorter").choices([
        "upper_bound_resize",
        "lower_bound_resize",
      ]),
    )
    .option("--conf-thresh-percentile <p>", "leave out the p percent least certain points", percentage)
    .option("--num-max-points <n>", "at most so many points", wholeNumber(1, 10_000_000))
    .option("--no-show-cameras", "points only")
    .option("--json", "print the model's metadata as one JSON object instead of lines")
    .action(async (options) => finish(await (await import("./session.ts")).session(options)));

  command("verify", "check that a running server keeps what it promises its viewers, in a space of its own")
    .addOption(serverOption())
    .option("--points <n>", "points of each cloud it delivers", wholeNumber(1000, 20_000_000), 200_000)
    .option("--json", "print one JSON object instead of a table")
    .action(async (options) => finish(await (await import("./verify/verify.ts")).verify(options)));

  return cairn;
}

function finish(exitCode: number): void {
  process.exitCode = exitCode;
}

const EXAMPLES = `
Examples:
  $ cairn serve                                       then open http://127.0.0.1:8000
  $ cairn serve --https                               and take photos with a phone
  $ cairn push castle photos/*.jpg --wait             see them placed one by one
  $ cairn push castle DCIM/                           all photos and videos of a card
  $ find . -name '*.jpg' | cairn push castle -        file names from another program
  $ cairn push castle walk.mp4 --wait                 a video: the pictures worth it are chosen and sent
  $ cairn status castle
  $ cairn report castle                               where it is weak, and what would help
  $ cairn export castle --format ply --out castle.ply
  $ cairn export castle --format ply --out - | gzip > castle.ply.gz
  $ cairn export castle --format colmap --out castle  a folder that COLMAP opens
  $ cairn rebuild castle --preset fine --wait         the same photos, in more detail
  $ cairn mesh castle --out castle.glb                the surface, with colours
  $ cairn rollback castle                             the model as it was before the last rebuild
  $ cairn record castle --seconds 60 --out flight     a minute of what drones and phones send
  $ cairn stop castle                                 every drone in it, at once
  $ cairn export castle --format las14 --out castle.las
  $ cairn import castle scan.laz                      a scan beside the model
  $ cairn remove castle 3                             and gone again
  $ cairn reconstruct photos/*.jpg --out model        the same without a server
  $ cairn session --video walk.mp4 --num-frames 30 --out walk.glb

Exit codes:
  0 done, every photo used   1 failed   2 wrong usage   3 some photos not used
  4 every photo used, but the model is doubtful         130 stopped by Ctrl-C

Environment:
  CAIRN_SERVER   instead of --server     CAIRN_TOKEN   the server's bearer token
  BIND_HOST      instead of --host       DEBUG=1       shows the whole error
  NTP_SERVER     asked for the time before public ones; off: none is
`;

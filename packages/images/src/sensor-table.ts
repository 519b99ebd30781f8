/**
 * How large the sensor behind a photo is, by the camera's make and model: the picture area that its maker's data sheet
 * gives. With the focal length in millimetres it tells the one in pixels. Only cameras whose area is known to 3 % are
 * here; for others nothing is better than a guess. Left out on purpose: GoPro, whose fisheye no pinhole's focal length
 * describes; sensors that change their area with the shape of the picture (DMC-GH1, GH2, DC-GH5S, LX100, PowerShot G1 X
 * Mark II); and PowerShot S100 and S110, each the name of two cameras twelve years apart.
 */
export type Sensor = {
  readonly widthMm: number;
  readonly heightMm: number;
};

/** A family of models, by their names in upper case without the make. */
type Family = readonly [models: RegExp, widthMm: number, shape: number];

const THREE_TO_TWO = 3 / 2;
const FOUR_TO_THREE = 4 / 3;
/** 1/2.3 inch. */
const SMALL_MM = 6.17;
/** 1/1.7 inch: makers give 7.4 to 7.6. */
const COMPACT_MM = 7.5;
const ONE_INCH_MM = 13.2;
const FOUR_THIRDS_MM = 17.3;

const CANON: readonly Family[] = [
  [/^EOS[ -]1D(S|S MARK III?| ?X| ?X MARK III?)$/, 36, THREE_TO_TWO],
  [/^EOS (5DS?|6D|R|RP|RA|R[13568])(M\d| R| C)?( MARK [IV]+)?$/, 36, THREE_TO_TWO],
  [/^EOS[ -]1D( MARK II( N)?)?$/, 28.7, THREE_TO_TWO],
  [/^EOS[ -]1D MARK (III|IV)$/, 28, THREE_TO_TWO],
  [/^EOS (7D|D30|D60|\d{2,4}DA?)( DIGITAL| MARK II)?$/, 22.3, THREE_TO_TWO],
  [/^EOS (DIGITAL REBEL|REBEL|KISS DIGITAL|KISS)( [A-Z]{0,2}\d{0,3}I?S?)?$/, 22.3, THREE_TO_TWO],
  [/^EOS (M\d{0,3}|R7|R10|R50|R100)(M2| MARK II| V)?$/, 22.3, THREE_TO_TWO],
  [/^POWERSHOT G1 X MARK III$/, 22.3, THREE_TO_TWO],
  [/^POWERSHOT G1 X$/, 18.7, FOUR_TO_THREE],
  [/^POWERSHOT G[3579] X( MARK III?)?$/, ONE_INCH_MM, THREE_TO_TWO],
  [/^POWERSHOT (G1[0-6]|S90|S95|S120)$/, COMPACT_MM, FOUR_TO_THREE],
  [/^POWERSHOT SX([1-7]0|1[1-9]0|[2-7]\d0) (IS|HS)$/, SMALL_MM, FOUR_TO_THREE],
  [/^(IXUS|POWERSHOT ELPH) \d{3} ?HS$/, SMALL_MM, FOUR_TO_THREE],
];

const NIKON: readonly Family[] = [
  [/^D(3|3S|3X|4|4S|5|6|600|610|700|750|780|800E?|810A?|850|F)$/, 35.9, THREE_TO_TWO],
  [/^Z ?([567](_[23])?|8|9|F)$/, 35.9, THREE_TO_TWO],
  [/^D(40X?|50|60|70S?|80|90|100|200|300S?|500|3[0-5]00|5[0-6]00|7[0125]00)$/, 23.5, THREE_TO_TWO],
  [/^Z ?(30|50(_2)?|FC)$/, 23.5, THREE_TO_TWO],
  [/^1 (J|V|S|AW)\d$/, ONE_INCH_MM, THREE_TO_TWO],
  [/^COOLPIX A$/, 23.6, THREE_TO_TWO],
  [/^COOLPIX P7[0178]00$/, COMPACT_MM, FOUR_TO_THREE],
  [/^COOLPIX P(90|100|5[0-3]0|6[01]0|9[05]0|1000)$/, SMALL_MM, FOUR_TO_THREE],
  [/^COOLPIX (S9[1-79]00|L1[0-2]0|L8[1-4]0|A900|A1000|B[567]00)$/, SMALL_MM, FOUR_TO_THREE],
];

const SONY: readonly Family[] = [
  [/^ILCE-(1|7|7R|7S|7C|7CR|9)(M\d)?A?$/, 35.8, THREE_TO_TWO],
  [/^(DSLR-A850|DSLR-A900|SLT-A99V?|ILCA-99M2|ZV-E1|DSC-RX1R?(M\d)?)$/, 35.8, THREE_TO_TWO],
  [/^ILCE-(3[05]00|5[01]00|6[0-7]00)(M2|A|L|Y)?$/, 23.5, THREE_TO_TWO],
  [/^NEX-(3|3N|C3|F3|5|5N|5R|5T|6|7)$/, 23.5, THREE_TO_TWO],
  [/^(SLT-A(33|35|37|55|57|58|65|77)V?|ILCA-68|ILCA-77M2|DSLR-A[1-7]\d0|ZV-E10(M2)?)$/, 23.5, THREE_TO_TWO],
  [/^(DSC-RX10|DSC-RX100|DSC-RX0)(M\d)?A?$/, ONE_INCH_MM, THREE_TO_TWO],
  [/^ZV-1(F|M2)?$/, ONE_INCH_MM, THREE_TO_TWO],
  [/^DSC-(HX(50|60|80|90|99|300|350|400)|WX(300|350|500|700|800))V?$/, SMALL_MM, FOUR_TO_THREE],
];

const FUJIFILM: readonly Family[] = [
  [/^GFX ?(50|100) ?(S|R|RF)?( II)?$/, 43.8, FOUR_TO_THREE],
  [/^X-((T|E|H|A|M|PRO)\d{1,3}S?|S[1-9]\d)( II)?$/, 23.5, THREE_TO_TWO],
  [/^(FINEPIX )?X100(S|T|F|V|VI)?$/, 23.5, THREE_TO_TWO],
  [/^(X10|X20|X30|XF1|X-S1)$/, 8.8, FOUR_TO_THREE],
];

const OLYMPUS: readonly Family[] = [
  [/^E-(M|P|PL|PM)\d{1,2}(S|X| ?MARK ?[IV]+S?)?$/, FOUR_THIRDS_MM, FOUR_TO_THREE],
  [/^(PEN-F|OM-[135]( ?MARK ?II)?)$/, FOUR_THIRDS_MM, FOUR_TO_THREE],
  // E-10, E-20 and E-100RS have smaller ones.
  [/^E-(1|3|5|30|300|330|400|410|420|450|500|510|520|600|620)$/, FOUR_THIRDS_MM, FOUR_TO_THREE],
];

const PANASONIC: readonly Family[] = [
  [/^DC-S(1|1R|1H|5|9)(M2)?(X|E|ES)?$/, 35.6, THREE_TO_TWO],
  [/^(DMC|DC)-(G|GF|GX|GM)\d{1,3}(M2|MK[23]|[A-Z])?$/, FOUR_THIRDS_MM, FOUR_TO_THREE],
  [/^(DMC|DC)-GH[3-7](M2)?$/, FOUR_THIRDS_MM, FOUR_TO_THREE],
  [/^(DMC|DC)-(FZ1000(2|M2)?|FZ2000|FZ2500|LX9|LX10|LX15|CM1)$/, ONE_INCH_MM, THREE_TO_TWO],
  [/^(DMC|DC)-((TZ|ZS)1(00|01|10)|(TZ|ZS)20[02]D?|TX[12])$/, ONE_INCH_MM, THREE_TO_TWO],
  [/^(DMC|DC)-(FZ(70|72|80|82|83|200|300|330)|TZ([6-9][01]|9[569])|ZS([4-8]0|99))$/, SMALL_MM, FOUR_TO_THREE],
];

/** Ricoh makes Pentax cameras and writes either name. */
const PENTAX: readonly Family[] = [
  [/^645D$/, 44, FOUR_TO_THREE],
  [/^645Z$/, 43.8, FOUR_TO_THREE],
  [/^K-1( MARK II)?$/, 35.9, THREE_TO_TWO],
  [/^K-(01|3|5|7|30|50|70|500|S1|S2|R|X|M)( II| II ?S| MARK III)?$/, 23.5, THREE_TO_TWO],
  [/^(K-?(10|20|100|110|200)D( SUPER)?|K2000|KP|KF)$/, 23.5, THREE_TO_TWO],
  // GR DIGITAL is a small one.
  [/^GR( II| IIIX?| IV)?( HDF)?$/, 23.5, THREE_TO_TWO],
];

const LEICA: readonly Family[] = [
  [/^M8(\.2)?( DIGITAL CAMERA)?$/, 27, THREE_TO_TWO],
  [
    /^(M9(-P)?|M10(-[PRD])?|M11(-[PD])?|M \(TYP 240\)|SL[23]?(-S)?|Q[23]?(-P)?)( DIGITAL CAMERA| \(TYP \d+\)| 43)?$/,
    36,
    THREE_TO_TWO,
  ],
];

/** Hasselblad's name is on some of the cameras that DJI flies. */
const DJI: readonly Family[] = [
  [/^FC6540$/, 23.5, THREE_TO_TWO],
  [/^(FC550|FC6520|M3E|L2D-20C)$/, FOUR_THIRDS_MM, FOUR_TO_THREE],
  [/^(FC6310[SR]?|FC6510|FC3411|L1D-20C)$/, ONE_INCH_MM, THREE_TO_TWO],
  // Their own 35 mm equivalents say a hundredth or two more than the usual 6.17.
  [/^FC(300(C|S|X|XW)|330|350|220)$/, 6.25, FOUR_TO_THREE],
];

const MAKES: readonly (readonly [make: RegExp, families: readonly Family[]])[] = [
  [/^CANON\b/, CANON],
  [/^NIKON\b/, NIKON],
  [/^SONY\b/, SONY],
  [/^FUJIFILM\b/, FUJIFILM],
  [/^(OLYMPUS|OM DIGITAL SOLUTIONS)\b/, OLYMPUS],
  [/^PANASONIC\b/, PANASONIC],
  [/^(PENTAX|RICOH)\b/, PENTAX],
  [/^LEICA\b/, LEICA],
  [/^(DJI|HASSELBLAD)\b/, DJI],
];

/** Longer than any name in the table. */
const MAX_NAME = 64;

/** @param make,model as EXIF has them; only both together tell a camera */
export function sensorOf(make: string, model: string): Sensor | undefined {
  const families = MAKES.find(([pattern]) => pattern.test(normalised(make)))?.[1];
  const name = normalised(model).replace(/^(CANON|NIKON|PENTAX|RICOH|LEICA) /, "");
  const family = families?.find(([models]) => models.test(name));
  return family && { widthMm: family[1], heightMm: family[1] / family[2] };
}

function normalised(name: string): string {
  // Fields of a fixed length are filled up with zeros or spaces.
  const written = name.slice(0, MAX_NAME).replaceAll("\0", " ");
  return written.replaceAll(/\s+/g, " ").trim().toUpperCase();
}

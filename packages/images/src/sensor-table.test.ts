import assert from "node:assert/strict";
import { test } from "node:test";
import { sensorOf } from "./sensor-table.ts";

/** Make, model, and the width of the sensor by the maker's data sheet, millimetres. */
const CAMERAS: readonly (readonly [make: string, model: string, widthMm: number])[] = [
  ["Canon", "Canon EOS 5D Mark III", 36],
  ["Canon", "Canon EOS 5DS R", 36],
  ["Canon", "Canon EOS-1D X Mark II", 36],
  ["Canon", "Canon EOS-1Ds Mark II", 36],
  ["Canon", "Canon EOS R", 36],
  ["Canon", "Canon EOS R5m2", 36],
  ["Canon", "Canon EOS R6 Mark II", 36],
  ["Canon", "Canon EOS-1D Mark IV", 27.9],
  ["Canon", "Canon EOS-1D Mark II N", 28.7],
  ["Canon", "Canon EOS 80D", 22.3],
  ["Canon", "Canon EOS 300D DIGITAL", 22.7],
  ["Canon", "Canon EOS 7D Mark II", 22.4],
  ["Canon", "Canon EOS DIGITAL REBEL XTi", 22.2],
  ["Canon", "Canon EOS Kiss X4", 22.3],
  ["Canon", "Canon EOS M6 Mark II", 22.3],
  ["Canon", "Canon EOS R7", 22.3],
  ["Canon", "Canon EOS R50", 22.3],
  ["Canon", "Canon PowerShot G1 X Mark III", 22.3],
  ["Canon", "Canon PowerShot G1 X", 18.7],
  ["Canon", "Canon PowerShot G7 X Mark II", 13.2],
  ["Canon", "Canon PowerShot G12", 7.6],
  ["Canon", "Canon PowerShot S120", 7.44],
  ["Canon", "Canon PowerShot SX720 HS", 6.17],
  ["Canon", "Canon IXUS 115 HS", 6.17],
  ["NIKON CORPORATION", "NIKON D3", 36],
  ["NIKON CORPORATION", "NIKON D800E", 35.9],
  ["NIKON CORPORATION", "NIKON Z 6_2", 35.9],
  ["NIKON CORPORATION", "NIKON Z f", 35.9],
  ["NIKON CORPORATION", "NIKON D3300", 23.5],
  ["NIKON CORPORATION", "NIKON D90", 23.6],
  ["NIKON CORPORATION", "NIKON D7000", 23.6],
  ["NIKON CORPORATION", "NIKON Z fc", 23.5],
  ["NIKON CORPORATION", "NIKON Z 50", 23.5],
  ["NIKON CORPORATION", "NIKON 1 J5", 13.2],
  ["NIKON CORPORATION", "COOLPIX A", 23.6],
  ["NIKON", "COOLPIX P7100", 7.44],
  ["NIKON", "COOLPIX P1000", 6.17],
  ["NIKON", "COOLPIX S9700", 6.17],
  ["SONY", "ILCE-7M3", 35.6],
  ["SONY", "ILCE-1", 35.9],
  ["SONY", "SLT-A99V", 35.8],
  ["SONY", "DSC-RX1RM2", 35.9],
  ["SONY", "ILCE-6400", 23.5],
  ["SONY", "NEX-5N", 23.4],
  ["SONY", "SLT-A77V", 23.5],
  ["SONY", "DSLR-A700", 23.5],
  ["SONY", "DSC-RX100", 13.2],
  ["SONY", "DSC-RX100M5A", 13.2],
  ["SONY", "DSC-RX10M4", 13.2],
  ["SONY", "DSC-HX60V", 6.17],
  ["FUJIFILM", "GFX 50S", 43.8],
  ["FUJIFILM", "GFX100S II", 43.8],
  ["FUJIFILM", "X-T30 II", 23.5],
  ["FUJIFILM", "X-S10", 23.5],
  ["FUJIFILM", "FinePix X100", 23.6],
  ["FUJIFILM", "X100VI", 23.5],
  ["FUJIFILM", "X-S1", 8.8],
  ["FUJIFILM", "X20", 8.8],
  ["OLYMPUS CORPORATION", "E-M5MarkII", 17.3],
  ["OLYMPUS IMAGING CORP.", "E-PL1", 17.3],
  ["OLYMPUS IMAGING CORP.", "E-510", 17.3],
  ["OM Digital Solutions", "OM-1MarkII", 17.4],
  ["Panasonic", "DC-GH5", 17.3],
  ["Panasonic", "DMC-GX7MK2", 17.3],
  ["Panasonic", "DMC-G85", 17.3],
  ["Panasonic", "DC-S5M2X", 35.6],
  ["Panasonic", "DMC-FZ1000", 13.2],
  ["Panasonic", "DMC-TZ100", 13.2],
  ["Panasonic", "DC-FZ80", 6.17],
  ["PENTAX", "PENTAX 645D", 44],
  ["RICOH IMAGING COMPANY, LTD.", "PENTAX 645Z", 43.8],
  ["RICOH IMAGING COMPANY, LTD.", "PENTAX K-1 Mark II", 35.9],
  ["PENTAX", "PENTAX K10D", 23.5],
  ["PENTAX", "PENTAX K-5 II s", 23.7],
  ["RICOH IMAGING COMPANY, LTD.", "RICOH GR III", 23.5],
  ["Leica Camera AG", "M8 Digital Camera", 27],
  ["LEICA CAMERA AG", "LEICA M (Typ 240)", 35.8],
  ["LEICA CAMERA AG", "LEICA SL2-S", 35.6],
  ["DJI", "FC6310S", 13.2],
  ["Hasselblad", "L1D-20c", 13.2],
  ["Hasselblad", "L2D-20c", 17.3],
  ["DJI", "FC6540", 23.5],
  ["DJI", "FC330", 6.25],
];

for (const [make, model, widthMm] of CAMERAS) {
  test(`the sensor of a ${model} is ${widthMm} mm wide, to 3 %`, () => {
    const sensor = sensorOf(make, model);
    assert.ok(sensor && Math.abs(sensor.widthMm / widthMm - 1) < 0.03, `${sensor?.widthMm}`);
    assert.ok(sensor.widthMm > sensor.heightMm);
  });
}

test("cameras with a name that looks alike, and other sensors, are told apart or left out", () => {
  const width = (make: string, model: string) => sensorOf(make, model)?.widthMm;
  assert.equal(width("SONY", "DSC-RX1"), 35.8);
  assert.equal(width("SONY", "DSC-RX10"), 13.2);
  assert.equal(width("PENTAX", "PENTAX K-1"), 35.9);
  assert.equal(width("PENTAX", "K-10D"), 23.5);
  assert.equal(width("NIKON CORPORATION", "NIKON D5"), 35.9);
  assert.equal(width("NIKON CORPORATION", "NIKON D500"), 23.5);
  assert.equal(width("NIKON CORPORATION", "NIKON D50"), 23.5);
  assert.equal(width("Canon", "Canon EOS 6D"), 36);
  assert.equal(width("Canon", "Canon EOS 60D"), 22.3);
  assert.equal(width("SONY", "DSLR-A900"), 35.8);
  for (const [make, model] of [
    ["NIKON", "COOLPIX A10"],
    ["NIKON", "COOLPIX P100X"],
    ["Canon", "Canon PowerShot S100"],
    ["Canon", "Canon PowerShot G1"],
    ["Canon", "Canon PowerShot G1 X Mark II"],
    ["Canon", "Canon EOS-1D C"],
    ["Canon", "Canon EOS R500"],
    ["Panasonic", "DMC-LX100"],
    ["Panasonic", "DMC-GH2"],
    ["Panasonic", "DC-GH5S"],
    ["Panasonic", "DMC-S1"],
    ["Panasonic", "DMC-TZ10"],
    ["OLYMPUS OPTICAL CO.,LTD", "E-10"],
    ["OLYMPUS OPTICAL CO.,LTD", "E-100RS"],
    ["RICOH", "GR DIGITAL 3"],
    ["FUJIFILM", "XQ1"],
    ["FUJIFILM", "FinePix S100FS"],
    ["SONY", "ILCE-70"],
    ["GoPro", "HERO9 Black"],
  ]) {
    assert.equal(width(make!, model!), undefined, model);
  }
});

test("only make and model together tell a sensor, however they are written", () => {
  assert.deepEqual(sensorOf(" sony\0\0", "dsc-rx100 \0"), sensorOf("SONY", "DSC-RX100"));
  assert.deepEqual(sensorOf("Canon", "EOS  5D"), sensorOf("Canon", "Canon EOS 5D"));
  for (const [make, model] of [
    ["", "DSC-RX100"],
    ["SONY", ""],
    ["Canon", "DSC-RX100"],
    ["SONYX", "DSC-RX100"],
    ["SONY", "My DSC-RX100"],
    ["SONY", "DSC-RX100".repeat(5000)],
    ["SONY", "(.*)+$"],
    ["SONY", "constructor"],
    ["\u0000", "\uFFFD\uFFFD"],
  ]) {
    assert.equal(sensorOf(make!, model!), undefined, JSON.stringify([make, model]).slice(0, 80));
  }
});

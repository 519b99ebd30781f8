export { type ClockEstimate, ClockEstimator, type TimeEstimate } from "./clock/estimator.ts";
export { ClockAsker, type Exchange } from "./clock/exchange.ts";
export { type AxisMap, readAxes, turnAxes } from "./imu/axes.ts";
export { ImuBuffer, type ImuCounts } from "./imu/buffer.ts";
export { readImu, readTimestamp } from "./imu/read.ts";
export { BadSample, type ImuSample, MAX_TIMESTAMP, type Vector3 } from "./imu/sample.ts";
export { nsByDigits } from "./imu/time-unit.ts";
export { IMU_CSV_HEADER, imuCsvLine, imuText, readImuCsv } from "./imu/write.ts";

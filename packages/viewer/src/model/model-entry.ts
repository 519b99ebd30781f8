export { createModelView, type ModelStats, type ModelUp, type ModelView } from "./model-view.ts";
export { type Model, type ModelFormat, parseModel } from "./parse-model.ts";

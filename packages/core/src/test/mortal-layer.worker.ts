/** The worker of layers, which dies over points of photo 666. */
import "./mortal.ts";
import "../cloud/layer.worker.ts";

// Replay rows in onnxruntime-node or onnxruntime-web: `replay` is for both.
//
// A request is {rows: {input: tensor}, models: {name: base64 of the file}}; the answer has for each
// model its error, or its times in ms and its outputs in the order of the graph. A tensor is
// {type, dims, data}: base64 of its little-endian bytes, or an array of texts.

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array,
  int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
};
const CALLS = 200, MILLISECONDS = 200;

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function textOf(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return btoa(text);
}

function tensorOf(ort, { type, dims, data }) {
  if (type === "string") return new ort.Tensor(type, data, dims);
  return new ort.Tensor(type, new ARRAYS[type](bytesOf(data).buffer), dims);
}

function firstRow(ort, tensor) {
  const size = tensor.dims.slice(1).reduce((product, each) => product * each, 1);
  return new ort.Tensor(tensor.type, tensor.data.slice(0, size), [1, ...tensor.dims.slice(1)]);
}

function written({ type, dims, data }) {
  if (type === "string") return { type, dims, data: [...data] };
  return { type, dims, data: textOf(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) };
}

async function replayed(ort, model, rows) {
  const options = { executionProviders: [ort.env.wasm.wasmPaths === undefined ? "cpu" : "wasm"] };
  options.intraOpNumThreads = options.interOpNumThreads = 1;
  options.logSeverityLevel = 4;
  let start = performance.now();
  const session = await ort.InferenceSession.create(bytesOf(model), options);
  const loaded = performance.now() - start;
  const found = await session.run(rows);
  const row = Object.fromEntries(Object.entries(rows).map(([name, all]) => [name, firstRow(ort, all)]));
  await session.run(row);
  let calls = 0;
  for (start = performance.now(); calls < CALLS && performance.now() - start < MILLISECONDS; calls++) {
    await session.run(row);
  }
  const each = (performance.now() - start) / calls;
  const outputs = session.outputNames.map((name) => written(found[name]));
  return { load_ms: loaded, row_ms: each, outputs };
}

export async function replay(ort, request) {
  const answer = {};
  for (const [name, model] of Object.entries(request.models)) {
    try {
      const rows = Object.fromEntries(
        Object.entries(request.rows).map(([input, tensor]) => [input, tensorOf(ort, tensor)]));
      answer[name] = await replayed(ort, model, rows);
    } catch (error) {
      answer[name] = { error: String(error) };
    }
  }
  return answer;
}

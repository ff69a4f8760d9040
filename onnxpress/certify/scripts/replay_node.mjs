// node replay_node.mjs PACKAGES REQUEST.json ANSWER.json
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { replay } from "./replay.mjs";

const [packages, request, answer] = process.argv.slice(2);
const ort = createRequire(`${packages}/`)("onnxruntime-node");
const found = await replay(ort, JSON.parse(readFileSync(request, "utf8")));
writeFileSync(answer, JSON.stringify(found));

"""Package the quantised model for serving: ``python -m stages.package``."""

from __future__ import annotations

from onnxpress.drift.profiling import drift_profile
from onnxpress.errors import GateFailed
from onnxpress.gates import failed_gates
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import read_bytes, read_json, write_folder
from onnxpress.pipeline.inputs import read_training
from onnxpress.pipeline.outputs import GATE, QUANTIZATION, QUANTIZED_MODEL, SERVING
from onnxpress.pipeline.params import Package, load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.serving.kserve import Resources
from onnxpress.serving.packaging import Deployment, packaged
from onnxpress.serving.triton import Batching


def main() -> None:
    """model_quantized.onnx in; a repository, a manifest, a drift profile and a page out."""
    deployment = deployment_of(load_params().package)
    if broken := failed_gates(read_json(GATE)):  # the gate stage was passed over
        raise GateFailed(
            f"{GATE} says that these limits are broken: {', '.join(broken)}; "
            "nothing was packaged, see `dvc repro`"
        )
    runs_in = read_json(QUANTIZATION, "min_onnxruntime", "bad_onnxruntime")
    schema, training, held_out = read_training()
    model = read_bytes(QUANTIZED_MODEL)
    files = packaged(
        model,
        schema,
        drift_profile(model, schema, training.feeds, held_out.feeds),
        deployment,
        runs_in["min_onnxruntime"],
        runs_in["bad_onnxruntime"],
    )
    write_folder(SERVING, files)
    if schema.has_tensors:
        say("drift: of tensors only the predictions are counted, not the values of the inputs")
    place = deployment.storage_uri or "no package.storage_uri, so no manifest for KServe"
    say(f"{SERVING}: {len(files)} files to serve {deployment.name} by Triton ({place})")


def deployment_of(package: Package) -> Deployment:
    """Return the section ``package`` of params.yaml as the library takes it."""
    return Deployment(
        package.name,
        Batching(package.instances, package.max_batch_size, package.queue_delay_us),
        Resources(package.cpu, package.memory),
        package.storage_uri,
        package.canary_percent,
        package.p99_ms,
        package.drift_every,
    )


if __name__ == "__main__":
    run_stage("package", main)

"""tritonclient against a running node: ask_node.py HOST:PORT MODEL REQUEST-FILE

Sends the inputs of a JSON request in each way that tritonclient has, and prints what it was told and answered as JSON.
"""

import json
import sys

import numpy
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, triton_to_np_dtype


def inputs(request, **options):
    tensors = []
    for tensor in request["inputs"]:
        values = numpy.array(tensor["data"], dtype=triton_to_np_dtype(tensor["datatype"])).reshape(tensor["shape"])
        tensors.append(InferInput(tensor["name"], tensor["shape"], tensor["datatype"]))
        tensors[-1].set_data_from_numpy(values, **options)
    return tensors


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def answer(result):
    outputs = result.get_response()["outputs"]
    return {
        "outputs": [output["name"] for output in outputs],
        "binary": [output["name"] for output in outputs if "binary_data_size" in output.get("parameters", {})],
        "probabilities": result.as_numpy("probabilities").flatten().tolist(),
        "labels": [text(label) for label in result.as_numpy("label").flatten()],
    }


def refusal(ask):
    try:
        ask()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return None


def main():
    address, model, file = sys.argv[1:]
    with open(file, encoding="utf-8") as stream:
        request = json.load(stream)
    names = ["label", "members_missing", "probabilities"]
    client = InferenceServerClient(address)
    unnamed = inputs(request)
    unnamed[0] = InferInput("unknown", [3, 3], "FP32")
    unnamed[0].set_data_from_numpy(numpy.ones((3, 3), numpy.float32))
    print(json.dumps({
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(model),
        "other_ready": client.is_model_ready("other"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata(model),
        "answers": {
            "defaults": answer(client.infer(model, inputs(request))),
            "named": answer(client.infer(model, inputs(request), outputs=[InferRequestedOutput(n) for n in names])),
            "json": answer(client.infer(
                model, inputs(request, binary_data=False),
                outputs=[InferRequestedOutput(n, binary_data=False) for n in names])),
            "json_inputs": answer(client.infer(model, inputs(request, binary_data=False))),
            "json_outputs": answer(client.infer(
                model, inputs(request), outputs=[InferRequestedOutput(n, binary_data=False) for n in names])),
        },
        "refusals": {
            "model": refusal(lambda: client.infer("other", inputs(request))),
            "metadata": refusal(lambda: client.get_model_metadata("other")),
            "tensor": refusal(lambda: client.infer(model, unnamed)),
        },
    }))


main()
